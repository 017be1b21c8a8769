BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE evidence (
	id INTEGER NOT NULL, 
	release_id INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	time FLOAT NOT NULL, 
	payload JSON NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_evidence UNIQUE (release_id, kind, "key")
);
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795899681:15570:share:2000',1795899681.0,'{"new":{"requests":11,"bad":0,"audio_ms":16500,"new_units":["096d12b0372337b1","411765ae95172dd8","4b7ed3bce81e9baf","5b8135c004db7994","7a7c863ac22c2c66","91d091c5f116fa08","9496a518e883a485","b2268e37a3ba0951","bf4e30703204bac7","df7347e4714f3eac","fd091a04b08a641e"],"statuses":{"2xx":11},"rules":{"share":11},"groups":{"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"14":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"22":1,"36":1}},"17":{"requests":2,"bad":0,"ms":{"0":2}}}},"old":{"requests":44,"bad":0,"audio_ms":66000,"new_units":["14fa5e5e0e735b83","1667306f4ef261ad","1e0c0312ac98df8a","2c5f777175317793","2d2e2251f514a497","3140012e9159a745","3192ce5a22a4ecab","32f4e2e9db7503f4","39499970e7f8ae4f","3b3ef3897b71710c","3cdf8e08718dfe76","4022d3c36ccfa8c6","494d48a706683c45","4ba405e752500647","5bcd3be0deace9ea","5d253f495e55b6d6","69bc62a973855941","6f071933b2040be1","76f8a833eaf76f99","7a0bb88bd5b966c2","7cdf5ae9ffe536ff","80c07784531fd5fb","836282965c30035a","83bbedcdffa48e19","949293bd665903c4","96f7668214b9ec3d","a88b3e9c2101e7c6","ae7ee6b6be65bc96","afddb581ea8d5e27","b334b28e188bb6dd","b33804f3bcf1aa16","bbc106642e6ad94e","be423ba53e57d2ae","bfa823405cb6cd40","c2e844a4dfad4ae9","c50fee595fdf3fc5","c9a1f05b36f1f91d","cdc8b91b75211dc1","d2fb9380824ebe08","d51be057fa85a089","e1ef4c25f9a85a0b","e83e27c0a561342a","f16c3bc1f4abb02e","f3907734163e26b1"],"statuses":{"2xx":44},"rules":{"rest":44},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"1":{"requests":5,"bad":0,"ms":{"0":1,"14":1,"22":1,"32":2}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":2,"bad":0,"ms":{"0":2}},"5":{"requests":2,"bad":0,"ms":{"14":1,"32":1}},"6":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"42":1}},"10":{"requests":3,"bad":0,"ms":{"0":1,"39":1,"49":1}},"11":{"requests":2,"bad":0,"ms":{"0":1,"52":1}},"12":{"requests":2,"bad":0,"ms":{"32":2}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"14":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"0":2}},"17":{"requests":5,"bad":0,"ms":{"0":2,"14":1,"22":1,"55":1}},"18":{"requests":6,"bad":0,"ms":{"0":5,"49":1}},"19":{"requests":4,"bad":0,"ms":{"0":2,"14":1,"32":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','bad','25659eafb51d2aa0c24add97cf793104',1795899681.53,'{"version":"new","unit":"7a7c863ac22c2c66","request_id":"25659eafb51d2aa0c24add97cf793104","status":500,"attempts":1,"ms":4.0}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','bad','bd1f9f3117b791815b35759c6d52773d',1795899681.651,'{"version":"new","unit":"4b7ed3bce81e9baf","request_id":"bd1f9f3117b791815b35759c6d52773d","status":500,"attempts":1,"ms":0.0}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','second','1795899681:29159:share:2000',1795899681.0,'{"new":{"requests":7,"bad":2,"audio_ms":10500,"new_units":["096a10344fa59c2a","930322dbafa930e1","9b366f93dee8511e","aa167c71bc97901c","bca5514e6c2ef541"],"statuses":{"2xx":5,"5xx":2},"rules":{"share":7},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"1":{"requests":1,"bad":0,"ms":{"28":1}},"2":{"requests":2,"bad":1,"ms":{"14":1,"273":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":1,"bad":1,"ms":{"273":1}},"10":{"requests":1,"bad":0,"ms":{"39":1}}}},"old":{"requests":41,"bad":0,"audio_ms":61500,"new_units":["0573788fc8f16b1b","0896e87bed0ec128","11865e1e4c6a0898","140b51429c6e64b9","21477a99e48f3b79","2e03bb67d4e985ff","3123502dbe4847e7","3241c7ff66884348","373de379dd7e94dc","3a21f028da9c6027","424374d7bd6461a6","43a3dae733f3ee01","467b5a63962fe5b1","50f2c4ffa66023ca","59baa3daa876bb54","6610032ed9bcd097","66239421bd1ee8e6","6a2ddf9e9bcacb73","735785658153c47b","7dba79c8c0bfd2cc","80c94d0a422e613d","81e5e9457c26b02a","8dfd28b3a11df47d","9582be048b3ee286","9c628d85c60d7df3","a12bafb837a5068a","a2ad85c5f326ebd2","a404cb28d1feccad","a90d8ddb71236209","b9135fdeec76c883","bb81409eedbf5bf6","be777b815e2b67a8","c1338d709406200f","d10d9f9758000f33","d30fa6959c4043f0","e29c8b9c07b8d77c","e7eaeaa87dc802a8","ec5043337b6a8064","f66e3cf94ecc5a61","fe14d843cb95237b"],"statuses":{"2xx":41},"rules":{"rest":41},"groups":{"1":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":2,"bad":0,"ms":{"14":1,"28":1}},"3":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"4":{"requests":3,"bad":0,"ms":{"0":2,"36":1}},"5":{"requests":2,"bad":0,"ms":{"0":2}},"6":{"requests":2,"bad":0,"ms":{"28":1,"39":1}},"7":{"requests":5,"bad":0,"ms":{"0":3,"22":1,"28":1}},"8":{"requests":2,"bad":0,"ms":{"0":1,"39":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"10":{"requests":1,"bad":0,"ms":{"22":1}},"11":{"requests":3,"bad":0,"ms":{"0":3}},"12":{"requests":4,"bad":0,"ms":{"0":3,"28":1}},"14":{"requests":2,"bad":0,"ms":{"0":1,"42":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"17":{"requests":4,"bad":0,"ms":{"0":3,"60":1}},"18":{"requests":1,"bad":0,"ms":{"14":1}}}}}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','bad','e5f4b12fe653c1f75370db4a84135584',1795899682.113,'{"version":"new","unit":"5b8135c004db7994","request_id":"e5f4b12fe653c1f75370db4a84135584","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795899681:30292:share:2000',1795899681.0,'{"old":{"requests":1,"bad":0,"audio_ms":1500,"new_units":[],"statuses":{"2xx":1},"rules":{"rest":1},"groups":{"9":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','second','1795899682:30292:share:2000',1795899682.0,'{"new":{"requests":1,"bad":1,"audio_ms":1500,"new_units":[],"statuses":{"5xx":1},"rules":{"share":1},"groups":{"12":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":2,"bad":0,"audio_ms":3000,"new_units":[],"statuses":{"2xx":2},"rules":{"rest":2},"groups":{"3":{"requests":1,"bad":0,"ms":{"28":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(8,1,'share:2000','second','1795899682:58884:share:2000',1795899682.0,'{"new":{"requests":16,"bad":0,"audio_ms":24000,"new_units":[],"statuses":{"2xx":16},"rules":{"share":16},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"1":{"requests":1,"bad":0,"ms":{"0":1}},"2":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"22":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":1,"bad":0,"ms":{"32":1}},"16":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"17":{"requests":2,"bad":0,"ms":{"0":1,"32":1}}}},"old":{"requests":85,"bad":0,"audio_ms":127500,"new_units":[],"statuses":{"2xx":85},"rules":{"rest":85},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"1":{"requests":7,"bad":0,"ms":{"0":6,"22":1}},"2":{"requests":3,"bad":0,"ms":{"0":1,"22":1,"32":1}},"3":{"requests":5,"bad":0,"ms":{"14":2,"28":2,"36":1}},"4":{"requests":3,"bad":0,"ms":{"14":2,"22":1}},"5":{"requests":4,"bad":0,"ms":{"0":1,"32":1,"45":2}},"6":{"requests":5,"bad":0,"ms":{"0":2,"14":2,"22":1}},"7":{"requests":6,"bad":0,"ms":{"0":2,"14":2,"28":2}},"8":{"requests":2,"bad":0,"ms":{"0":1,"49":1}},"9":{"requests":4,"bad":0,"ms":{"0":2,"32":1,"39":1}},"10":{"requests":4,"bad":0,"ms":{"0":4}},"11":{"requests":5,"bad":0,"ms":{"0":3,"14":1,"47":1}},"12":{"requests":6,"bad":0,"ms":{"0":3,"22":2,"36":1}},"13":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"14":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"15":{"requests":2,"bad":0,"ms":{"0":2}},"16":{"requests":4,"bad":0,"ms":{"0":2,"14":1,"32":1}},"17":{"requests":8,"bad":0,"ms":{"0":5,"14":1,"22":1,"36":1}},"18":{"requests":7,"bad":0,"ms":{"0":2,"14":2,"22":1,"28":1,"36":1}},"19":{"requests":4,"bad":0,"ms":{"0":3,"22":1}}}}}');
CREATE TABLE peak_memory (
	version VARCHAR(64) NOT NULL, 
	rss_bytes BIGINT NOT NULL, 
	measured_at FLOAT NOT NULL, 
	PRIMARY KEY (version)
);
CREATE TABLE recognition_history (
	id INTEGER NOT NULL, 
	created_time VARCHAR(23) NOT NULL, 
	filename TEXT NOT NULL, 
	file_path TEXT, 
	raw_text TEXT, 
	itn_text TEXT, 
	language VARCHAR(16), 
	hotwords TEXT, 
	itn_enabled BOOLEAN NOT NULL, 
	corrected_text TEXT, 
	corrected_by TEXT, 
	corrected_at VARCHAR(23), 
	version VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	request_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	answered BOOLEAN NOT NULL, 
	release_id INTEGER, 
	unit VARCHAR(16), 
	user_key VARCHAR(16), 
	engine VARCHAR(32) NOT NULL, 
	device VARCHAR(32) NOT NULL, 
	audio_seconds FLOAT NOT NULL, 
	decode_ms FLOAT NOT NULL, 
	rtf FLOAT, 
	channel INTEGER, 
	segments JSON, 
	options JSON, 
	audio_sha256 VARCHAR(64), 
	status VARCHAR(16) NOT NULL, 
	error TEXT, 
	deleted_at VARCHAR(23), 
	purpose VARCHAR(16) NOT NULL, 
	rule VARCHAR(16), 
	PRIMARY KEY (id), 
	CONSTRAINT uq_request_attempt UNIQUE (request_id, attempt)
);
INSERT INTO "recognition_history" VALUES(1,'2026-11-01 10:00:00.000','a_v1_1.wav','/calls/a_v1_1.wav','一零零八六','10086','zh','',1,NULL,NULL,NULL,'imported','','import:9361faa221d225b78139916384df0c88',1,1,NULL,NULL,NULL,'unknown','unknown',0.0,0.0,NULL,NULL,NULL,NULL,NULL,'done',NULL,NULL,'live',NULL);
INSERT INTO "recognition_history" VALUES(2,'2026-11-01 10:01:00.000','b_v1_2.wav','/calls/b_v1_2.wav','你好','你好','zh','',1,NULL,NULL,NULL,'imported','','import:35f6bdb4fef86820928a7b15e46d7c95',1,1,NULL,NULL,NULL,'unknown','unknown',0.0,0.0,NULL,NULL,NULL,NULL,NULL,'done',NULL,NULL,'live',NULL);
CREATE TABLE release_events (
	id INTEGER NOT NULL, 
	release_id INTEGER NOT NULL, 
	time FLOAT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	payload JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "release_events" VALUES(1,1,1.79589967983059287069e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79589968030503702167e+09,'admitted','{"from":"admission","to":"share:2000"}');
CREATE TABLE releases (
	id INTEGER NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	stable VARCHAR(64) NOT NULL, 
	phase VARCHAR(16) NOT NULL, 
	stage VARCHAR(32), 
	outcome VARCHAR(16), 
	guard VARCHAR(32), 
	reason TEXT, 
	started_by TEXT NOT NULL, 
	started_at FLOAT NOT NULL, 
	ended_at FLOAT, 
	state JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "releases" VALUES(1,'new','old','share','share:2000',NULL,NULL,NULL,'root',1.79589967983059287069e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"share","stage_index":0,"entered_at":1795899680.305037,"started_at":1795899679.8305929,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"e3a61f527275fda6b2db48bf":58884},"read":58884}');
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795899637:282:share:2000',1795899637.0,'{"new":{"requests":1,"bad":0,"audio_ms":1500,"new_units":["c5d8a6f770523b6e"],"statuses":{"2xx":1},"rules":{"share":1},"groups":{"14":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','second','1795899637:27267:share:2000',1795899637.0,'{"new":{"requests":10,"bad":0,"audio_ms":15000,"new_units":["173de195e1408a46","1e264368909936d8","334af35f7ff46604","85a8d09b3720ee85","9fbb05ed5f926416","9fff41832dd35c4b","a0899287ec636cc3","b5e1b738e3e6b4a1","d2fcf85c0f8ddaee","fd9fd77b9619e744"],"statuses":{"2xx":10},"rules":{"share":10},"groups":{"0":{"requests":1,"bad":0,"ms":{"39":1}},"3":{"requests":1,"bad":0,"ms":{"42":1}},"4":{"requests":1,"bad":0,"ms":{"28":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"45":1}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":1,"bad":0,"ms":{"54":1}},"14":{"requests":1,"bad":0,"ms":{"14":1}},"16":{"requests":1,"bad":0,"ms":{"14":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":54,"bad":0,"audio_ms":81000,"new_units":["02717604549b1f22","05cd779d6bca9abe","063ee24f250a9e66","080fea9a3074a31d","090e0cbd444b6cf7","0ead4a0d2ee2fb40","168a6b20c9e3aeb3","17e3445d453d9b0b","186c9ff35fff93e9","215d9fdd74490406","22e6cccc0e858cb5","24b16a3c0cf34343","25004348a6c5a650","27dcdb5972d58855","30f74cb08887ef6b","460fcc92859b91d5","47e401464c9e6e70","4b525f4a88c1f603","50dac5aef18d43df","58d009ea809d23ff","5c28c55322eddbcb","648392da78de5e70","648f3ccda61a5899","6787961b2bf1cfdf","6acf1ba3c675b3cb","6b53f35416cb64bd","6d91a3515b55407f","71fb3b6372af0fa1","76caf65a6ceefde1","78a46d19c2221c4c","7df4c35ce1418b11","7dfce37c2efbece9","88eb586665cdd043","8ca59382460d4193","8ec55e75bdccbc69","9906f8f3e164db9c","9c0cd0db0176949f","a4d303ba73ba6a28","ac9465012a4eed0d","b0aec82c908c22b2","b7b8c1d20e7ec5f7","b9f610d871d8de51","ca9937e289c011bb","d0ae8fbc7a0244eb","d2be4850ced6a7e8","d4b2ebd895dcf29f","d61aa101302ac0ef","d7478ec4ece23d3e","da066322bbaca7aa","e41ff77539f4accc","e842d81f48a4049a","e9ddf2c4eef36aec","f7c1c7500d515030","fc1fac8e0ae8928f"],"statuses":{"2xx":54},"rules":{"rest":54},"groups":{"0":{"requests":5,"bad":0,"ms":{"0":4,"28":1}},"1":{"requests":4,"bad":0,"ms":{"0":3,"22":1}},"3":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"5":{"requests":4,"bad":0,"ms":{"0":2,"22":1,"36":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":4,"bad":0,"ms":{"0":2,"28":1,"36":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":2,"bad":0,"ms":{"0":2}},"10":{"requests":3,"bad":0,"ms":{"0":1,"14":1,"42":1}},"11":{"requests":3,"bad":0,"ms":{"0":1,"32":2}},"14":{"requests":3,"bad":0,"ms":{"0":3}},"15":{"requests":5,"bad":0,"ms":{"0":4,"22":1}},"16":{"requests":5,"bad":0,"ms":{"0":4,"36":1}},"17":{"requests":4,"bad":0,"ms":{"0":2,"36":2}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":6,"bad":0,"ms":{"0":4,"14":1,"22":1}}}}}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','second','1795899638:27267:share:2000',1795899638.0,'{"new":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["2fe5c861f3144fc6","3fcd2a85e4a2c77b","8544cfcac5c2f566","b1b1bcf2947f4745","deb3d9778a903986"],"statuses":{"2xx":5},"rules":{"share":5},"groups":{"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"45":1}},"18":{"requests":2,"bad":0,"ms":{"0":1,"22":1}}}},"old":{"requests":27,"bad":0,"audio_ms":40500,"new_units":["0288f0503019ad28","058045aceab47e1c","073df3b47bc86043","0ec97b07eae8673d","0f02af7d9990da12","265e5b12baa8f397","2891b731c5ee88be","3464341311933887","50b5267d8527bbb1","5cbdd7905b778838","60fcd91c80e58d96","61955594e1a5e025","704a30a9cb407ec5","8279096f1a481c3e","84301eb3069b07b4","89a8b7eab0701410","982913d98e2251fc","9a8040bf130f81cf","a4861e2e04f94ed9","a709582513ba7698","cb7101647b100789","d1aa32791435ac78","d9e11a07ceff9d70","e36eeab1451d25d6","e5e2c53445ce7952","eb9b5316060e74c3","fd857a981ce25eee"],"statuses":{"2xx":27},"rules":{"rest":27},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":2,"bad":0,"ms":{"0":2}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":1,"bad":0,"ms":{"14":1}},"5":{"requests":4,"bad":0,"ms":{"0":2,"14":1,"32":1}},"6":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"7":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"36":1}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"13":{"requests":1,"bad":0,"ms":{"14":1}},"14":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','3f479540-ec16-4b56-8663-27b4bb4d1234',1795899638.233,'{"version":"new","unit":"c5d8a6f770523b6e","request_id":"3f479540-ec16-4b56-8663-27b4bb4d1234","status":500,"attempts":1,"ms":0.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','bad','44280959-709e-43b1-b926-b55dd37673e1',1795899638.33,'{"version":"new","unit":"b5e1b738e3e6b4a1","request_id":"44280959-709e-43b1-b926-b55dd37673e1","status":500,"attempts":1,"ms":0.0}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','bad','d7f16fa1-c02d-4309-aee7-388c0fdf1c88',1795899638.695,'{"version":"new","unit":"1e264368909936d8","request_id":"d7f16fa1-c02d-4309-aee7-388c0fdf1c88","status":500,"attempts":1,"ms":6.0}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','second','1795899638:29798:share:2000',1795899638.0,'{"new":{"requests":3,"bad":3,"audio_ms":4500,"new_units":[],"statuses":{"5xx":3},"rules":{"share":3},"groups":{"13":{"requests":1,"bad":1,"ms":{"273":1}},"14":{"requests":1,"bad":1,"ms":{"273":1}},"16":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":6,"bad":0,"audio_ms":9000,"new_units":["1d52f14ce0d0211b","2b2209ac828f6438","ef8b1ff16d3cd946"],"statuses":{"2xx":6},"rules":{"rest":6},"groups":{"1":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"32":1}},"12":{"requests":1,"bad":0,"ms":{"22":1}},"15":{"requests":2,"bad":0,"ms":{"0":1,"45":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(8,1,'share:2000','second','1795899638:34296:share:2000',1795899638.0,'{"old":{"requests":2,"bad":0,"audio_ms":3000,"new_units":[],"statuses":{"2xx":2},"rules":{"rest":2},"groups":{"5":{"requests":2,"bad":0,"ms":{"0":1,"28":1}}}}}');
INSERT INTO "evidence" VALUES(9,1,'share:2000','second','1795899639:34296:share:2000',1795899639.0,'{"new":{"requests":4,"bad":0,"audio_ms":6000,"new_units":[],"statuses":{"2xx":4},"rules":{"share":4},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":1,"bad":0,"ms":{"14":1}},"14":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":10,"bad":0,"audio_ms":15000,"new_units":[],"statuses":{"2xx":10},"rules":{"rest":10},"groups":{"1":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":2,"bad":0,"ms":{"0":2}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"14":{"requests":1,"bad":0,"ms":{"42":1}},"15":{"requests":2,"bad":0,"ms":{"28":2}},"19":{"requests":2,"bad":0,"ms":{"22":1,"32":1}}}}}');
INSERT INTO "evidence" VALUES(10,1,'share:2000','second','1795899639:58474:share:2000',1795899639.0,'{"new":{"requests":12,"bad":0,"audio_ms":18000,"new_units":[],"statuses":{"2xx":12},"rules":{"share":12},"groups":{"3":{"requests":1,"bad":0,"ms":{"54":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":2,"bad":0,"ms":{"36":1,"42":1}},"11":{"requests":1,"bad":0,"ms":{"50":1}},"14":{"requests":1,"bad":0,"ms":{"47":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":2,"bad":0,"ms":{"0":1,"14":1}}}},"old":{"requests":74,"bad":0,"audio_ms":111000,"new_units":[],"statuses":{"2xx":74},"rules":{"rest":74},"groups":{"0":{"requests":7,"bad":0,"ms":{"0":5,"22":2}},"1":{"requests":3,"bad":0,"ms":{"0":3}},"2":{"requests":2,"bad":0,"ms":{"0":2}},"3":{"requests":4,"bad":0,"ms":{"0":3,"14":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":6,"bad":0,"ms":{"0":2,"14":1,"22":2,"58":1}},"6":{"requests":3,"bad":0,"ms":{"0":3}},"7":{"requests":6,"bad":0,"ms":{"0":5,"28":1}},"8":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":4,"bad":0,"ms":{"0":3,"28":1}},"11":{"requests":4,"bad":0,"ms":{"0":4}},"12":{"requests":4,"bad":0,"ms":{"0":1,"14":1,"22":2}},"13":{"requests":1,"bad":0,"ms":{"22":1}},"14":{"requests":3,"bad":0,"ms":{"0":3}},"15":{"requests":4,"bad":0,"ms":{"0":3,"22":1}},"16":{"requests":7,"bad":0,"ms":{"0":3,"14":3,"52":1}},"17":{"requests":5,"bad":0,"ms":{"0":3,"14":2}},"18":{"requests":2,"bad":0,"ms":{"0":2}},"19":{"requests":5,"bad":0,"ms":{"0":3,"14":1,"28":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79589963655056071285e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79589963722916722294e+09,'admitted','{"from":"admission","to":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','share','share:2000',NULL,NULL,NULL,'root',1.79589963655056071285e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"share","stage_index":0,"entered_at":1795899637.2291672,"started_at":1795899636.5505607,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"5ad9ef4240ec576436cfdcc3":58474},"read":58474}');
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

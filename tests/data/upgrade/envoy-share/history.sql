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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795902929:16022:share:2000',1795902929.0,'{"new":{"requests":4,"bad":0,"audio_ms":6000,"new_units":["6188020663d0cad2","8649bf1f86da2a1e","afcf365324c55761","d7f7fe0408ae3bcd"],"statuses":{"2xx":4},"rules":{"share":4},"groups":{"1":{"requests":2,"bad":0,"ms":{"0":2}},"10":{"requests":1,"bad":0,"ms":{"22":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":8,"bad":0,"audio_ms":12000,"new_units":["1bcb5bf0ccb6483b","3d45d2b84151935e","4590be6e35cf7efe","4ab19161ec8e0810","67aea7eb5f1495e3","a87f221e89afac5e","ae99eeceb62dc127","db563bc4e2c4734c"],"statuses":{"2xx":8},"rules":{"rest":8},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"22":1}},"6":{"requests":1,"bad":0,"ms":{"22":1}},"8":{"requests":1,"bad":0,"ms":{"22":1}},"15":{"requests":2,"bad":0,"ms":{"0":2}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','second','1795902930:16022:share:2000',1795902930.0,'{"new":{"requests":7,"bad":0,"audio_ms":10500,"new_units":["1b530777f16452ab","1f7de5395a21c075","299f9c6ea4c37fed","563b120fdfbdc453","57e525a46b78930a","614a9cc2509cf300","a0999aa7fd308e0b"],"statuses":{"2xx":7},"rules":{"share":7},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":38,"bad":0,"audio_ms":57000,"new_units":["0366697faaaf23f6","068ecec2cd43556c","0b1b961405d9c9d8","10258a87f6fac4ec","14bff179594b2597","1f7b26e03e1502ed","1f8984966aec8e1e","20c5fef36b35ff87","46fc924a7cec64fa","5fede34c35a6beb9","601d6503d4a8a0bf","65d532e92b367f6d","66865fa7b118c798","67b1f968e1787eec","69a29ac9b53e4662","6af6b59bafd3de46","6c9885c422a64752","6f5fa9e480cb994d","7b911738881aaa31","7e76dcac88545cbf","905c142f1bfb94ba","990bed7e1e2208de","9f5340dcc5d6ac9f","a4cf2865f3de3e8f","a846e199c7e970d8","b5dd85b61be525ae","bbd0f064028f2a10","be62859cbf29eb45","c4cb7b0c55af43d9","cbf01b376fd3c5ac","ccec2e8a815c39c6","cd7ce5ff56ae200d","d33886dc560a3b08","d7bf9398b1cbded8","e084faee428221b7","e94278d87187bc09","ef27b05e7cc0f0e5","f54208d25232ddc6"],"statuses":{"2xx":38},"rules":{"rest":38},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":2,"bad":0,"ms":{"0":2}},"5":{"requests":2,"bad":0,"ms":{"0":2}},"6":{"requests":2,"bad":0,"ms":{"0":2}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":3,"bad":0,"ms":{"0":1,"14":1,"28":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"10":{"requests":3,"bad":0,"ms":{"0":1,"22":2}},"11":{"requests":2,"bad":0,"ms":{"0":2}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":6,"bad":0,"ms":{"0":2,"14":3,"22":1}},"14":{"requests":2,"bad":0,"ms":{"0":2}},"15":{"requests":2,"bad":0,"ms":{"14":1,"36":1}},"16":{"requests":2,"bad":0,"ms":{"0":2}},"18":{"requests":2,"bad":0,"ms":{"0":2}},"19":{"requests":1,"bad":0,"ms":{"14":1}}}}}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','bad','b96b4f5e-2502-4455-b7f5-560b57a9fa9d',1795902930.302,'{"version":"new","unit":"8649bf1f86da2a1e","request_id":"b96b4f5e-2502-4455-b7f5-560b57a9fa9d","status":500,"attempts":1,"ms":17.0}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','fb7e1184-3012-4210-a19c-acbf821f628b',1795902930.379,'{"version":"new","unit":"d7f7fe0408ae3bcd","request_id":"fb7e1184-3012-4210-a19c-acbf821f628b","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','bad','24f9051c-3359-4db0-b723-d70f45ebf645',1795902930.644,'{"version":"new","unit":"afcf365324c55761","request_id":"24f9051c-3359-4db0-b723-d70f45ebf645","status":500,"attempts":1,"ms":10.0}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795902930:24175:share:2000',1795902930.0,'{"new":{"requests":4,"bad":3,"audio_ms":6000,"new_units":["03d970e23711e366"],"statuses":{"2xx":1,"5xx":3},"rules":{"share":4},"groups":{"1":{"requests":2,"bad":2,"ms":{"273":2}},"14":{"requests":1,"bad":0,"ms":{"28":1}},"18":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":25,"bad":0,"audio_ms":37500,"new_units":["00636d39b775a943","0114ba6b5a36d9af","0c19103eb115b794","2ea47ae5bbd49ed3","32efe68fe209be31","3321f75c832e3b06","41b2a71b149df227","46cbfa7f300d0b33","51763b43c2035135","5722a9d9f05e4d8a","59dd1a37bcb59ec7","5c3b3b71c4ad220e","5d375fd16ba4d860","74e67f119e7cb7f5","99cc4d1528e561fc","9e697921e2cdfa04","b5b1bba3f43735b9","c5dfc3675f914884","e3a6bac5f76ab761","ec959fea905c031b","f54ef44dac7bdbbf","fb47824f4eb9bdc2"],"statuses":{"2xx":25},"rules":{"rest":25},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"1":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":2,"bad":0,"ms":{"0":1,"36":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":2,"bad":0,"ms":{"0":2}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":2,"bad":0,"ms":{"0":2}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"15":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"19":{"requests":3,"bad":0,"ms":{"0":3}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','second','1795902930:47227:share:2000',1795902930.0,'{"new":{"requests":5,"bad":0,"audio_ms":7500,"new_units":[],"statuses":{"2xx":5},"rules":{"share":5},"groups":{"1":{"requests":2,"bad":0,"ms":{"0":1,"47":1}},"6":{"requests":1,"bad":0,"ms":{"14":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":1,"bad":0,"ms":{"45":1}}}},"old":{"requests":14,"bad":0,"audio_ms":21000,"new_units":[],"statuses":{"2xx":14},"rules":{"rest":14},"groups":{"0":{"requests":1,"bad":0,"ms":{"45":1}},"2":{"requests":2,"bad":0,"ms":{"0":1,"52":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":2,"bad":0,"ms":{"22":1,"45":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"11":{"requests":1,"bad":0,"ms":{"39":1}},"15":{"requests":2,"bad":0,"ms":{"0":2}},"16":{"requests":1,"bad":0,"ms":{"22":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(8,1,'share:2000','second','1795902931:47227:share:2000',1795902931.0,'{"new":{"requests":7,"bad":0,"audio_ms":10500,"new_units":[],"statuses":{"2xx":7},"rules":{"share":7},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"39":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"42":1}},"14":{"requests":1,"bad":0,"ms":{"49":1}},"15":{"requests":1,"bad":0,"ms":{"39":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":56,"bad":0,"audio_ms":84000,"new_units":[],"statuses":{"2xx":56},"rules":{"rest":56},"groups":{"0":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"1":{"requests":2,"bad":0,"ms":{"32":1,"45":1}},"2":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"3":{"requests":2,"bad":0,"ms":{"22":1,"39":1}},"4":{"requests":3,"bad":0,"ms":{"0":1,"39":1,"45":1}},"5":{"requests":4,"bad":0,"ms":{"0":2,"22":2}},"6":{"requests":3,"bad":0,"ms":{"0":2,"39":1}},"7":{"requests":2,"bad":0,"ms":{"0":2}},"8":{"requests":4,"bad":0,"ms":{"0":3,"14":1}},"9":{"requests":2,"bad":0,"ms":{"22":1,"39":1}},"10":{"requests":4,"bad":0,"ms":{"0":4}},"11":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"12":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"13":{"requests":6,"bad":0,"ms":{"0":4,"56":1,"58":1}},"14":{"requests":2,"bad":0,"ms":{"0":2}},"15":{"requests":4,"bad":0,"ms":{"0":3,"22":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"19":{"requests":4,"bad":0,"ms":{"0":3,"22":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79590292904660034185e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79590292925158977513e+09,'admitted','{"from":"admission","to":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','share','share:2000',NULL,NULL,NULL,'root',1.79590292904660034185e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"share","stage_index":0,"entered_at":1795902929.2515898,"started_at":1795902929.0466003,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"b298fee58bd8e1c12dd39cc1":47227},"read":47227}');
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

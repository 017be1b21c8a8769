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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795899709:4814:share:2000',1795899709.0,'{"new":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["008d3daa0ade0f0f","01764bc679586d40","1e8974ad41cfe20b","29525996ff92ebe1","3d6d03eb489fdef3"],"statuses":{"2xx":5},"rules":{"share":5},"groups":{"4":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":1,"bad":0,"ms":{"22":1}},"15":{"requests":1,"bad":0,"ms":{"56":1}},"19":{"requests":2,"bad":0,"ms":{"0":1,"22":1}}}},"old":{"requests":12,"bad":0,"audio_ms":18000,"new_units":["028b2abc88a52d94","0e7943e16be6919c","3592a82edd66ed9a","546da02edf97677b","58857142799b48c9","5b6258604933539f","7a88251f36e0bee6","7b35db5e2ce5a9b5","85ea38dedde90878","a084adc325aef858","a237e0bfa6cf344e","fb6bb3e14119cf6d"],"statuses":{"2xx":12},"rules":{"rest":12},"groups":{"0":{"requests":2,"bad":0,"ms":{"22":1,"71":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"56":1}},"10":{"requests":1,"bad":0,"ms":{"47":1}},"12":{"requests":2,"bad":0,"ms":{"28":1,"32":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"14":{"requests":1,"bad":0,"ms":{"36":1}},"17":{"requests":1,"bad":0,"ms":{"14":1}},"19":{"requests":2,"bad":0,"ms":{"39":1,"45":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','second','1795899709:27176:share:2000',1795899709.0,'{"new":{"requests":8,"bad":0,"audio_ms":12000,"new_units":["293c95ab771af32a","3c878417781e1cab","4483ba9f167e2293","48744e19d731a158","75a29c365650653b","92f6d8563afa88fa","d672717fe0695950","e7c0782a2d058ba5"],"statuses":{"2xx":8},"rules":{"share":8},"groups":{"3":{"requests":1,"bad":0,"ms":{"28":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"22":1}},"9":{"requests":1,"bad":0,"ms":{"28":1}},"15":{"requests":1,"bad":0,"ms":{"14":1}},"16":{"requests":1,"bad":0,"ms":{"22":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":1,"bad":0,"ms":{"14":1}}}},"old":{"requests":64,"bad":0,"audio_ms":96000,"new_units":["03904cc13c749cbf","046118c03336b4f9","04c20581f652963a","0a343707a93c04e3","0ac7333b226827d2","0c840537463ad10c","1163cf0f48f5e484","1b8e7ec0696376dc","1e78b65abc0878d9","1fc1eddd8bc6a8f7","29639d66e3eca7a5","2e0a6fdf8a8a55ca","37433b7af3c5a56c","3893f39949e9a13b","3a20b50151237591","3b238ad39bcd65dd","3b82210256de4cba","4325b0fc9149ffd1","449040850e9a6026","4ea30d6a799051f3","53f48c1a8b4c5135","56232e58a3671d8d","587032e4830702b4","58fca4db3beae931","5b924f10d6517e72","6c60d13d916c943f","7349c6f480703053","78010c8f3dd96e16","7a39a3632e662335","7fff712b7cb27016","82afb1e23d0fef9d","84b1a2d3382a6c88","854c7f442abd5382","8785371a4057fe21","89c378b71f8f473e","94638046b90a1c14","9bad963c35257271","9bc59cf4650cabe1","9bdc3dd1ca93753f","9d9cc1dfc4741d68","a021266fc841af72","a369f2f194c3fb3b","a5b43146bf2f618c","aa845decf2a0e912","b1e764f7e0b65cd2","b73257b4dbcf54c2","bb238a99f45c4ae6","be64f261262c4b5a","ca95d4a71b125175","cbfccd9b2c042749","ccb6121fc5f61e3b","d18757b025c649d1","d28eb9d1fb985193","d8d4c9d9a6c4ccbf","d9f9df1801f62a79","da055f22b4b77de0","e30f9abe967691fa","e7ca39d69aa1cf3e","eaaa85a73d525679","eb729ca761efea88","ee756cb94b1bfb10","f057c2bf61d4aa5b","f144ee6d81684e6b","f8bab1244418187b"],"statuses":{"2xx":64},"rules":{"rest":64},"groups":{"0":{"requests":1,"bad":0,"ms":{"28":1}},"1":{"requests":3,"bad":0,"ms":{"0":2,"42":1}},"2":{"requests":2,"bad":0,"ms":{"0":2}},"3":{"requests":2,"bad":0,"ms":{"0":2}},"4":{"requests":5,"bad":0,"ms":{"0":5}},"5":{"requests":6,"bad":0,"ms":{"0":3,"22":1,"28":2}},"6":{"requests":5,"bad":0,"ms":{"0":4,"14":1}},"7":{"requests":3,"bad":0,"ms":{"0":1,"45":1,"50":1}},"8":{"requests":4,"bad":0,"ms":{"0":2,"14":1,"32":1}},"9":{"requests":4,"bad":0,"ms":{"22":1,"39":1,"55":1,"60":1}},"11":{"requests":2,"bad":0,"ms":{"14":1,"36":1}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":3,"bad":0,"ms":{"0":1,"28":1,"32":1}},"14":{"requests":5,"bad":0,"ms":{"0":2,"32":1,"49":1,"54":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":3,"bad":0,"ms":{"0":1,"14":1,"59":1}},"18":{"requests":6,"bad":0,"ms":{"0":3,"28":1,"54":1,"56":1}},"19":{"requests":7,"bad":0,"ms":{"0":3,"32":1,"50":1,"52":1,"54":1}}}}}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','second','1795899710:27176:share:2000',1795899710.0,'{"new":{"requests":2,"bad":0,"audio_ms":3000,"new_units":["562b1d4c5fc13178","e9a5fc17fbdaceff"],"statuses":{"2xx":2},"rules":{"share":2},"groups":{"3":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["073f43d7770e3122","1dd0bc6282cbdeb0","336dd77564603bd1","5540fe5fed605d01","cece72c2a5c3ccf6"],"statuses":{"2xx":5},"rules":{"rest":5},"groups":{"1":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":1,"bad":0,"ms":{"39":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','93ced3482ec1cda97495d6bab12fc4ce',1795899710.174,'{"version":"new","unit":"008d3daa0ade0f0f","request_id":"93ced3482ec1cda97495d6bab12fc4ce","status":500,"attempts":1,"ms":8.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','bad','ab9fae4707347ab6e0a18ea6cf61b4e6',1795899710.276,'{"version":"new","unit":"29525996ff92ebe1","request_id":"ab9fae4707347ab6e0a18ea6cf61b4e6","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795899710:29442:share:2000',1795899710.0,'{"new":{"requests":3,"bad":2,"audio_ms":4500,"new_units":["25cb8b4b96153953"],"statuses":{"2xx":1,"5xx":2},"rules":{"share":3},"groups":{"13":{"requests":1,"bad":1,"ms":{"273":1}},"15":{"requests":1,"bad":0,"ms":{"14":1}},"19":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["8f08581f5020430d","b5aba7a4d9cffc4b","e6547d8b05be9423"],"statuses":{"2xx":5},"rules":{"rest":5},"groups":{"11":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":2,"bad":0,"ms":{"0":2}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','bad','d6cd32bbfb64142cbdb43a150cd1d600',1795899710.678,'{"version":"new","unit":"1e8974ad41cfe20b","request_id":"d6cd32bbfb64142cbdb43a150cd1d600","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(8,1,'share:2000','second','1795899710:30575:share:2000',1795899710.0,'{"new":{"requests":1,"bad":1,"audio_ms":1500,"new_units":[],"statuses":{"5xx":1},"rules":{"share":1},"groups":{"15":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":3,"bad":0,"audio_ms":4500,"new_units":[],"statuses":{"2xx":3},"rules":{"rest":3},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(9,1,'bake','second','1795899711:41684:bake',1795899711.0,'{"new":{"requests":39,"bad":0,"audio_ms":58500,"new_units":["008d3daa0ade0f0f","01764bc679586d40","028b2abc88a52d94","0c840537463ad10c","0e7943e16be6919c","1e8974ad41cfe20b","293c95ab771af32a","29525996ff92ebe1","29639d66e3eca7a5","3592a82edd66ed9a","37433b7af3c5a56c","3c878417781e1cab","3d6d03eb489fdef3","4325b0fc9149ffd1","4483ba9f167e2293","4ea30d6a799051f3","546da02edf97677b","56232e58a3671d8d","58857142799b48c9","58fca4db3beae931","5b6258604933539f","78010c8f3dd96e16","7a39a3632e662335","7a88251f36e0bee6","7b35db5e2ce5a9b5","84b1a2d3382a6c88","85ea38dedde90878","89c378b71f8f473e","94638046b90a1c14","9bad963c35257271","9bdc3dd1ca93753f","a084adc325aef858","a237e0bfa6cf344e","b1e764f7e0b65cd2","d18757b025c649d1","d28eb9d1fb985193","d672717fe0695950","ee756cb94b1bfb10","fb6bb3e14119cf6d"],"statuses":{"2xx":39},"rules":{"share":39},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":2}},"1":{"requests":1,"bad":0,"ms":{"0":1}},"2":{"requests":2,"bad":0,"ms":{"0":2}},"3":{"requests":1,"bad":0,"ms":{"28":1}},"4":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"5":{"requests":1,"bad":0,"ms":{"22":1}},"6":{"requests":2,"bad":0,"ms":{"14":1,"28":1}},"7":{"requests":1,"bad":0,"ms":{"22":1}},"8":{"requests":2,"bad":0,"ms":{"0":2}},"9":{"requests":4,"bad":0,"ms":{"0":1,"28":1,"39":1,"42":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":3,"bad":0,"ms":{"0":2,"32":1}},"13":{"requests":3,"bad":0,"ms":{"0":2,"60":1}},"14":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"22":1,"47":1}},"17":{"requests":2,"bad":0,"ms":{"0":2}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":7,"bad":0,"ms":{"0":2,"14":2,"22":1,"36":1,"39":1}}}}}');
INSERT INTO "evidence" VALUES(10,1,'bake','second','1795899711:59068:bake',1795899711.0,'{"new":{"requests":52,"bad":0,"audio_ms":78000,"new_units":["03904cc13c749cbf","046118c03336b4f9","04c20581f652963a","073f43d7770e3122","0a343707a93c04e3","0ac7333b226827d2","1163cf0f48f5e484","1b8e7ec0696376dc","1e78b65abc0878d9","1fc1eddd8bc6a8f7","2e0a6fdf8a8a55ca","3893f39949e9a13b","3a20b50151237591","3b238ad39bcd65dd","3b82210256de4cba","449040850e9a6026","48744e19d731a158","53f48c1a8b4c5135","587032e4830702b4","5b924f10d6517e72","6c60d13d916c943f","7349c6f480703053","75a29c365650653b","7fff712b7cb27016","82afb1e23d0fef9d","854c7f442abd5382","8785371a4057fe21","92f6d8563afa88fa","9bc59cf4650cabe1","9d9cc1dfc4741d68","a021266fc841af72","a369f2f194c3fb3b","a5b43146bf2f618c","aa845decf2a0e912","b73257b4dbcf54c2","bb238a99f45c4ae6","be64f261262c4b5a","ca95d4a71b125175","cbfccd9b2c042749","ccb6121fc5f61e3b","cece72c2a5c3ccf6","d8d4c9d9a6c4ccbf","d9f9df1801f62a79","da055f22b4b77de0","e30f9abe967691fa","e7c0782a2d058ba5","e7ca39d69aa1cf3e","eaaa85a73d525679","eb729ca761efea88","f057c2bf61d4aa5b","f144ee6d81684e6b","f8bab1244418187b"],"statuses":{"2xx":52},"rules":{"share":52},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"1":{"requests":2,"bad":0,"ms":{"0":1,"36":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":2,"bad":0,"ms":{"0":1,"73":1}},"4":{"requests":5,"bad":0,"ms":{"0":3,"42":1,"55":1}},"5":{"requests":5,"bad":0,"ms":{"0":4,"22":1}},"6":{"requests":4,"bad":0,"ms":{"22":1,"36":1,"47":1,"49":1}},"7":{"requests":2,"bad":0,"ms":{"0":1,"45":1}},"8":{"requests":2,"bad":0,"ms":{"0":1,"42":1}},"9":{"requests":2,"bad":0,"ms":{"0":2}},"10":{"requests":1,"bad":0,"ms":{"14":1}},"11":{"requests":2,"bad":0,"ms":{"0":1,"45":1}},"13":{"requests":2,"bad":0,"ms":{"0":1,"39":1}},"14":{"requests":5,"bad":0,"ms":{"0":2,"22":1,"36":1,"39":1}},"15":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"17":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"18":{"requests":7,"bad":0,"ms":{"0":4,"14":1,"49":1,"54":1}},"19":{"requests":5,"bad":0,"ms":{"0":2,"28":1,"39":1,"42":1}}}}}');
INSERT INTO "evidence" VALUES(11,1,'bake','second','1795899712:59068:bake',1795899712.0,'{"new":{"requests":9,"bad":0,"audio_ms":13500,"new_units":["1dd0bc6282cbdeb0","25cb8b4b96153953","336dd77564603bd1","5540fe5fed605d01","562b1d4c5fc13178","8f08581f5020430d","b5aba7a4d9cffc4b","e6547d8b05be9423","e9a5fc17fbdaceff"],"statuses":{"2xx":9},"rules":{"share":9},"groups":{"1":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":1,"bad":0,"ms":{"36":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":1,"bad":0,"ms":{"14":1}},"19":{"requests":1,"bad":0,"ms":{"42":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79589970811971020702e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79589970857531666757e+09,'admitted','{"from":"admission","to":"share:2000"}');
INSERT INTO "release_events" VALUES(3,1,1.79589971131895327575e+09,'promote_asked','{"by":"root","reason":"it does well","from":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','bake','bake',NULL,NULL,NULL,'root',1.79589970811971020702e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"bake","stage_index":1,"entered_at":1795899711.3189533,"started_at":1795899708.1197102,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"941268bc1337d6de67bbe200":59068},"read":59068}');
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

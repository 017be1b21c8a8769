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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795899658:282:share:2000',1795899658.0,'{"new":{"requests":1,"bad":0,"audio_ms":1500,"new_units":["e76d35e5195e8e29"],"statuses":{"2xx":1},"rules":{"share":1},"groups":{"9":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','bad','dac13e3e-f98a-43d9-8382-bb7e9d465b14',1795899658.738,'{"version":"new","unit":"e76d35e5195e8e29","request_id":"dac13e3e-f98a-43d9-8382-bb7e9d465b14","status":500,"attempts":1,"ms":0.0}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','second','1795899658:28393:share:2000',1795899658.0,'{"new":{"requests":16,"bad":1,"audio_ms":24000,"new_units":["075f0488cbd042fe","0c27a355967db454","1e758740b5260c58","33e50a35b414f7c5","5c5ddf48f5276048","828c9dd1cd34b0c8","89618fac62abbb17","b506ced120096e5b","bf535257e52f86f2","cb66a328a2d58bc2","d19848f35dd5839d","da3ba6e1a2734938","dd50a0ef9ed7304e","de525c6225d759c4","f0fcd9c85c7012bb"],"statuses":{"2xx":15,"5xx":1},"rules":{"share":16},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"4":{"requests":2,"bad":0,"ms":{"0":2}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"45":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":1,"ms":{"273":1}},"10":{"requests":1,"bad":0,"ms":{"49":1}},"12":{"requests":1,"bad":0,"ms":{"28":1}},"14":{"requests":1,"bad":0,"ms":{"22":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":1,"bad":0,"ms":{"32":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":84,"bad":0,"audio_ms":126000,"new_units":["04c75274ffa40abc","055a39c13626e391","058292dc27a0d609","085a5e528b238063","0d44364d29658ca8","0f9b633e4ab9655d","1052f6c652c3659f","16d57394e82ec1b7","16de66c9a004a2d4","1ba4b0af7110c930","1de758b758d815e6","227435749383ceb4","23208a81989918cc","2401d28e46b73375","25a78576ed24d9f2","2a5c434b8866ed2c","2faddf47ca33f26f","2fc185cf692087e2","3811e974865c1010","3ad7f1b19e0f4c02","3fd5f2669f1c6333","405edcefaa0c8a0f","424373acbac244ad","427570d54cf4b511","434503eb31c05839","4dfe9be617961180","4f4abdd079c26e25","56a063550209bd62","58194d3ca4aaf620","5aca33099b66cc44","5e5c83ff64ac0c83","62063cbd80dcb5b6","665f59a34f15ddec","669fe1efcfa48f3b","6c57220009063864","6e4395b8977ae963","715b6179a80f2175","7bf1b9bd2e942dbc","7ea3facdde153314","7fc8340d70c17ca8","7fdd86b389331f76","807e4bcf7349bfd5","8140ebb1667445cc","825232558931d9c5","841fa0ef1c757469","86aecb1d7c4e9775","89e75c152e7ecb51","8b50c71394372f2b","8bee8ed831f011fa","8bf804f3ebaf5256","8c615b2f1f32f59d","91f8db299980e52a","9476e10c0557e246","956e7dc39712b237","96f7960937b8b304","9c801ccfc3734a6f","a368bab3d31200e0","a65bf04d90a8d79c","ab8a19ed84e9aff4","ad31a9bfe3cfebe1","b24650c2c0b146cd","b8cb73540a4f3186","ba67ed73017740eb","c0e689995e34e7f1","c6469df110e0ecec","c9e3690720c3c5b1","cb2ae2323d0f1e7e","cbc29efb2af85645","cfb5e62217357b1d","d0801575009c6710","d1bdbc91a8d461e0","d45f48b6d8c62069","d6bc831238e00b81","d9a3fe8c5a40f551","dec186f12d68b94f","e14c9b1116b40693","e7cde8029717a68a","e9e742d015142a53","f22e189bdc120292","f654570cd7b9a7b1","f8085073330932b6","fa11ae17d108f3a8","fea8da3f33dbc87e","ffcc6b4d56b3ffe5"],"statuses":{"2xx":84},"rules":{"rest":84},"groups":{"0":{"requests":8,"bad":0,"ms":{"0":5,"14":1,"22":1,"36":1}},"1":{"requests":7,"bad":0,"ms":{"0":7}},"2":{"requests":3,"bad":0,"ms":{"0":2,"39":1}},"3":{"requests":3,"bad":0,"ms":{"0":2,"36":1}},"4":{"requests":3,"bad":0,"ms":{"0":1,"14":1,"32":1}},"5":{"requests":6,"bad":0,"ms":{"0":3,"28":2,"36":1}},"6":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"7":{"requests":4,"bad":0,"ms":{"0":4}},"8":{"requests":5,"bad":0,"ms":{"0":4,"14":1}},"9":{"requests":3,"bad":0,"ms":{"0":3}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":6,"bad":0,"ms":{"0":4,"22":1,"32":1}},"13":{"requests":5,"bad":0,"ms":{"0":3,"28":1,"42":1}},"14":{"requests":2,"bad":0,"ms":{"0":2}},"15":{"requests":5,"bad":0,"ms":{"0":4,"36":1}},"16":{"requests":3,"bad":0,"ms":{"0":3}},"17":{"requests":5,"bad":0,"ms":{"0":4,"54":1}},"18":{"requests":8,"bad":0,"ms":{"0":8}},"19":{"requests":3,"bad":0,"ms":{"0":3}}}}}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','81ba3b07-ea94-48bc-a9ae-2b289df3985a',1795899658.842,'{"version":"new","unit":"de525c6225d759c4","request_id":"81ba3b07-ea94-48bc-a9ae-2b289df3985a","status":500,"attempts":1,"ms":4.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','second','1795899658:29517:share:2000',1795899658.0,'{"new":{"requests":1,"bad":1,"audio_ms":1500,"new_units":[],"statuses":{"5xx":1},"rules":{"share":1},"groups":{"16":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":1,"bad":0,"audio_ms":1500,"new_units":[],"statuses":{"2xx":1},"rules":{"rest":1},"groups":{"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795899659:29517:share:2000',1795899659.0,'{"old":{"requests":2,"bad":0,"audio_ms":3000,"new_units":[],"statuses":{"2xx":2},"rules":{"rest":2},"groups":{"5":{"requests":1,"bad":0,"ms":{"28":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','bad','234e3f53-e8bd-4b11-b11d-5ebb46306c68',1795899659.216,'{"version":"new","unit":"075f0488cbd042fe","request_id":"234e3f53-e8bd-4b11-b11d-5ebb46306c68","status":500,"attempts":1,"ms":2.0}');
INSERT INTO "evidence" VALUES(8,1,'share:2000','second','1795899659:30362:share:2000',1795899659.0,'{"new":{"requests":1,"bad":1,"audio_ms":1500,"new_units":[],"statuses":{"5xx":1},"rules":{"share":1},"groups":{"18":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":2,"bad":0,"audio_ms":3000,"new_units":[],"statuses":{"2xx":2},"rules":{"rest":2},"groups":{"1":{"requests":1,"bad":0,"ms":{"66":1}},"18":{"requests":1,"bad":0,"ms":{"32":1}}}}}');
INSERT INTO "evidence" VALUES(9,1,'bake','second','1795899659:57243:bake',1795899659.0,'{"new":{"requests":28,"bad":0,"audio_ms":42000,"new_units":["055a39c13626e391","075f0488cbd042fe","0c27a355967db454","16d57394e82ec1b7","1e758740b5260c58","23208a81989918cc","25a78576ed24d9f2","2faddf47ca33f26f","3ad7f1b19e0f4c02","3fd5f2669f1c6333","424373acbac244ad","427570d54cf4b511","5aca33099b66cc44","5e5c83ff64ac0c83","7fc8340d70c17ca8","7fdd86b389331f76","807e4bcf7349bfd5","828c9dd1cd34b0c8","a368bab3d31200e0","a65bf04d90a8d79c","b8cb73540a4f3186","c0e689995e34e7f1","de525c6225d759c4","e76d35e5195e8e29","e9e742d015142a53","f0fcd9c85c7012bb","fa11ae17d108f3a8","ffcc6b4d56b3ffe5"],"statuses":{"2xx":28},"rules":{"share":28},"groups":{"0":{"requests":2,"bad":0,"ms":{"14":1,"39":1}},"1":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"2":{"requests":2,"bad":0,"ms":{"0":1,"45":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":2,"bad":0,"ms":{"22":2}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":3,"bad":0,"ms":{"0":1,"22":1,"39":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"12":{"requests":3,"bad":0,"ms":{"14":1,"28":1,"39":1}},"13":{"requests":1,"bad":0,"ms":{"36":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":3,"bad":0,"ms":{"0":3}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(10,1,'bake','second','1795899660:57243:bake',1795899660.0,'{"new":{"requests":67,"bad":0,"audio_ms":100500,"new_units":["04c75274ffa40abc","058292dc27a0d609","085a5e528b238063","0d44364d29658ca8","0f9b633e4ab9655d","1052f6c652c3659f","16de66c9a004a2d4","1ba4b0af7110c930","1de758b758d815e6","227435749383ceb4","2401d28e46b73375","2a5c434b8866ed2c","33e50a35b414f7c5","3811e974865c1010","405edcefaa0c8a0f","434503eb31c05839","4dfe9be617961180","4f4abdd079c26e25","56a063550209bd62","58194d3ca4aaf620","5c5ddf48f5276048","62063cbd80dcb5b6","665f59a34f15ddec","669fe1efcfa48f3b","6c57220009063864","6e4395b8977ae963","715b6179a80f2175","7bf1b9bd2e942dbc","7ea3facdde153314","8140ebb1667445cc","825232558931d9c5","841fa0ef1c757469","86aecb1d7c4e9775","89618fac62abbb17","89e75c152e7ecb51","8b50c71394372f2b","8bee8ed831f011fa","8bf804f3ebaf5256","8c615b2f1f32f59d","91f8db299980e52a","9476e10c0557e246","956e7dc39712b237","96f7960937b8b304","9c801ccfc3734a6f","ab8a19ed84e9aff4","ad31a9bfe3cfebe1","b24650c2c0b146cd","ba67ed73017740eb","bf535257e52f86f2","c6469df110e0ecec","c9e3690720c3c5b1","cb2ae2323d0f1e7e","cb66a328a2d58bc2","cbc29efb2af85645","cfb5e62217357b1d","d0801575009c6710","d1bdbc91a8d461e0","d45f48b6d8c62069","d6bc831238e00b81","da3ba6e1a2734938","dd50a0ef9ed7304e","dec186f12d68b94f","e7cde8029717a68a","f22e189bdc120292","f654570cd7b9a7b1","f8085073330932b6","fea8da3f33dbc87e"],"statuses":{"2xx":67},"rules":{"share":67},"groups":{"0":{"requests":7,"bad":0,"ms":{"0":3,"22":2,"28":1,"39":1}},"1":{"requests":5,"bad":0,"ms":{"0":3,"50":2}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"4":{"requests":3,"bad":0,"ms":{"22":1,"28":2}},"5":{"requests":5,"bad":0,"ms":{"0":5}},"6":{"requests":4,"bad":0,"ms":{"0":1,"22":1,"39":1,"49":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":5,"bad":0,"ms":{"0":2,"14":1,"22":2}},"9":{"requests":1,"bad":0,"ms":{"22":1}},"10":{"requests":2,"bad":0,"ms":{"28":1,"45":1}},"11":{"requests":1,"bad":0,"ms":{"14":1}},"12":{"requests":4,"bad":0,"ms":{"0":4}},"13":{"requests":4,"bad":0,"ms":{"0":1,"14":1,"22":1,"42":1}},"14":{"requests":3,"bad":0,"ms":{"0":1,"22":2}},"15":{"requests":4,"bad":0,"ms":{"0":2,"22":1,"28":1}},"16":{"requests":2,"bad":0,"ms":{"0":2}},"17":{"requests":5,"bad":0,"ms":{"0":3,"14":1,"22":1}},"18":{"requests":5,"bad":0,"ms":{"0":2,"14":2,"22":1}},"19":{"requests":2,"bad":0,"ms":{"14":1,"36":1}}}}}');
INSERT INTO "evidence" VALUES(11,1,'bake','second','1795899660:58658:bake',1795899660.0,'{"new":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["2fc185cf692087e2","b506ced120096e5b","d19848f35dd5839d","d9a3fe8c5a40f551","e14c9b1116b40693"],"statuses":{"2xx":5},"rules":{"share":5},"groups":{"3":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79589965722302174564e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.7958996577414438724e+09,'admitted','{"from":"admission","to":"share:2000"}');
INSERT INTO "release_events" VALUES(3,1,1.79589965968967747687e+09,'promote_asked','{"by":"root","reason":"it does well","from":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','bake','bake',NULL,NULL,NULL,'root',1.79589965722302174564e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"bake","stage_index":1,"entered_at":1795899659.6896775,"started_at":1795899657.2230217,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"a4b8b850209024ad6ab25bca":58658},"read":58658}');
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

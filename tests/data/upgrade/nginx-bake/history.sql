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
INSERT INTO "evidence" VALUES(1,1,'share:2000','bad','6b36e269c6cecdfca35887ac88a13faa',1795902987.511,'{"version":"new","unit":"9afaa23dc43947a7","request_id":"6b36e269c6cecdfca35887ac88a13faa","status":500,"attempts":1,"ms":2.0}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','second','1795902987:22929:share:2000',1795902987.0,'{"new":{"requests":13,"bad":1,"audio_ms":19500,"new_units":["38a093c99d4d3eea","61dc84b356108b09","634edab31e58ad7e","76a1ca50d345b69e","7be3d18e9410da54","9afaa23dc43947a7","9e904529d862af16","a765132553b12ec3","af2f69ee6f5c0697","bd02a13b11e1e86d","cad3daaeccc391d8","da11dce39d6f5310"],"statuses":{"2xx":12,"5xx":1},"rules":{"share":13},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":2,"bad":1,"ms":{"0":1,"273":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":2,"bad":0,"ms":{"0":1,"39":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":1,"bad":0,"ms":{"14":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"14":{"requests":1,"bad":0,"ms":{"28":1}},"15":{"requests":2,"bad":0,"ms":{"0":2}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":68,"bad":0,"audio_ms":102000,"new_units":["062c75639837f485","08699ec6428118cf","0f6cf9a17ffca3a7","0fbaf42ff96b93a7","129fd0dea70213c7","12a8b39e0a349749","14619d9eac8f0617","14d9589b82cd59e9","15140a439fdcfc66","1e47df330e314ef9","20caaaf0c69ceabf","211197042ff32330","2391e85173f3c7ff","2bd973ad659ec602","2ffc80506e52a8c3","38adce0e67cc2516","3a251c935a8869b5","4006e6330744656e","4385ed4ada814f74","45c6a375c2ef9314","45d9337d875ce803","47369303041c786d","529d330b10f206ae","543965cc7f862969","54438df1c8bce1ae","581e005c179522eb","5a70d5a9ac6a3099","5b1faaa05232bb38","60bcf0e831ae1b77","60d6bcf9527cf3eb","6beadd09077f48a3","6cfd4b2327066a71","77accd9cde0c60fa","7e837a7ee010cb6d","7fad49ff0f0a4760","839803ae0c2fe6e6","87eb00446c568f13","8ca476c3dffbebe0","93ce8b3a35f21dfa","986d3b50c2d3c622","9ae6142f2207a276","9e9d0b0a4ec1397b","a36e279b28901d58","a4780af26109e3ec","a9e7cd50c714daff","ac1b737012d71177","b92d5baaa49f12c7","c460527f4503ed84","c810dac9d2308171","daf349762bf4f2b5","e4506857ab5feb6b","e49b9f9a1a10ff1e","e5ba6a443f523400","e7332fce2619f061","ea763d9156b6a3fe","f039e16c2ba5bea4","f2dce2eda4b0e372","f45c6ec865d3c881","f5f48fcca3ac77c0","f6d999d1ffc84660","f8be0e541580fc9b","fa80cb60d2e18b0c","fb9ea97394e5d44a","fbb484a9d2d5aa2a","fbe77a6553b10d5b","fcad83bfbe99538e","fcfc6da172712b0d","ff9627499062a440"],"statuses":{"2xx":68},"rules":{"rest":68},"groups":{"0":{"requests":3,"bad":0,"ms":{"0":3}},"1":{"requests":1,"bad":0,"ms":{"0":1}},"2":{"requests":6,"bad":0,"ms":{"0":3,"22":2,"32":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":5,"bad":0,"ms":{"0":4,"45":1}},"6":{"requests":3,"bad":0,"ms":{"0":3}},"7":{"requests":7,"bad":0,"ms":{"0":6,"14":1}},"8":{"requests":4,"bad":0,"ms":{"0":4}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":3,"bad":0,"ms":{"0":2,"47":1}},"11":{"requests":4,"bad":0,"ms":{"0":2,"22":1,"39":1}},"12":{"requests":6,"bad":0,"ms":{"0":4,"14":1,"28":1}},"13":{"requests":2,"bad":0,"ms":{"0":2}},"14":{"requests":3,"bad":0,"ms":{"0":1,"28":1,"32":1}},"15":{"requests":5,"bad":0,"ms":{"0":5}},"16":{"requests":2,"bad":0,"ms":{"0":2}},"17":{"requests":6,"bad":0,"ms":{"0":5,"28":1}},"18":{"requests":2,"bad":0,"ms":{"0":2}},"19":{"requests":4,"bad":0,"ms":{"0":3,"22":1}}}}}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','bad','13b8458f66f5512216ca9e9d4d202a26',1795902987.586,'{"version":"new","unit":"7be3d18e9410da54","request_id":"13b8458f66f5512216ca9e9d4d202a26","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','0044dfc4c9befbdf6cea1dbf7dedac6f',1795902987.886,'{"version":"new","unit":"9e904529d862af16","request_id":"0044dfc4c9befbdf6cea1dbf7dedac6f","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','second','1795902987:24911:share:2000',1795902987.0,'{"new":{"requests":2,"bad":2,"audio_ms":3000,"new_units":[],"statuses":{"5xx":2},"rules":{"share":2},"groups":{"12":{"requests":1,"bad":1,"ms":{"273":1}},"18":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":4,"bad":0,"audio_ms":6000,"new_units":[],"statuses":{"2xx":4},"rules":{"rest":4},"groups":{"6":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"17":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795902988:24911:share:2000',1795902988.0,'{"old":{"requests":1,"bad":0,"audio_ms":1500,"new_units":[],"statuses":{"2xx":1},"rules":{"rest":1},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(7,1,'bake','second','1795902988:45995:bake',1795902988.0,'{"new":{"requests":74,"bad":0,"audio_ms":111000,"new_units":["062c75639837f485","08699ec6428118cf","0f6cf9a17ffca3a7","0fbaf42ff96b93a7","129fd0dea70213c7","12a8b39e0a349749","14619d9eac8f0617","14d9589b82cd59e9","15140a439fdcfc66","1e47df330e314ef9","211197042ff32330","2391e85173f3c7ff","2bd973ad659ec602","38a093c99d4d3eea","38adce0e67cc2516","3a251c935a8869b5","4006e6330744656e","4385ed4ada814f74","45c6a375c2ef9314","45d9337d875ce803","47369303041c786d","529d330b10f206ae","543965cc7f862969","54438df1c8bce1ae","581e005c179522eb","5a70d5a9ac6a3099","5b1faaa05232bb38","60bcf0e831ae1b77","60d6bcf9527cf3eb","61dc84b356108b09","634edab31e58ad7e","6beadd09077f48a3","6cfd4b2327066a71","76a1ca50d345b69e","77accd9cde0c60fa","7be3d18e9410da54","7e837a7ee010cb6d","7fad49ff0f0a4760","839803ae0c2fe6e6","87eb00446c568f13","8ca476c3dffbebe0","93ce8b3a35f21dfa","986d3b50c2d3c622","9ae6142f2207a276","9afaa23dc43947a7","9e904529d862af16","9e9d0b0a4ec1397b","a36e279b28901d58","a4780af26109e3ec","a765132553b12ec3","a9e7cd50c714daff","ac1b737012d71177","af2f69ee6f5c0697","b92d5baaa49f12c7","bd02a13b11e1e86d","c460527f4503ed84","c810dac9d2308171","da11dce39d6f5310","daf349762bf4f2b5","e4506857ab5feb6b","e49b9f9a1a10ff1e","e5ba6a443f523400","ea763d9156b6a3fe","f039e16c2ba5bea4","f2dce2eda4b0e372","f45c6ec865d3c881","f5f48fcca3ac77c0","f6d999d1ffc84660","f8be0e541580fc9b","fa80cb60d2e18b0c","fb9ea97394e5d44a","fbb484a9d2d5aa2a","fcfc6da172712b0d","ff9627499062a440"],"statuses":{"2xx":74},"rules":{"share":74},"groups":{"0":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"1":{"requests":1,"bad":0,"ms":{"28":1}},"2":{"requests":6,"bad":0,"ms":{"0":6}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":4,"bad":0,"ms":{"0":4}},"6":{"requests":5,"bad":0,"ms":{"0":3,"14":1,"22":1}},"7":{"requests":6,"bad":0,"ms":{"0":6}},"8":{"requests":4,"bad":0,"ms":{"0":1,"14":2,"47":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"10":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"11":{"requests":4,"bad":0,"ms":{"0":3,"22":1}},"12":{"requests":7,"bad":0,"ms":{"0":6,"14":1}},"13":{"requests":3,"bad":0,"ms":{"22":1,"36":1,"39":1}},"14":{"requests":4,"bad":0,"ms":{"0":4}},"15":{"requests":7,"bad":0,"ms":{"0":5,"28":2}},"16":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"17":{"requests":6,"bad":0,"ms":{"0":4,"45":2}},"18":{"requests":3,"bad":0,"ms":{"0":2,"32":1}},"19":{"requests":3,"bad":0,"ms":{"0":3}}}}}');
INSERT INTO "evidence" VALUES(8,1,'bake','second','1795902988:47704:bake',1795902988.0,'{"new":{"requests":6,"bad":0,"audio_ms":9000,"new_units":["20caaaf0c69ceabf","2ffc80506e52a8c3","cad3daaeccc391d8","e7332fce2619f061","fbe77a6553b10d5b","fcad83bfbe99538e"],"statuses":{"2xx":6},"rules":{"share":6},"groups":{"0":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.7959029863667764664e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79590298667951512329e+09,'admitted','{"from":"admission","to":"share:2000"}');
INSERT INTO "release_events" VALUES(3,1,1.79590298829999566072e+09,'promote_asked','{"by":"root","reason":"it does well","from":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','bake','bake',NULL,NULL,NULL,'root',1.7959029863667764664e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"bake","stage_index":1,"entered_at":1795902988.2999957,"started_at":1795902986.3667765,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"df5f252440b37208694a7498":47704},"read":47704}');
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

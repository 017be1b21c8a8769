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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795902967:22645:share:2000',1795902967.0,'{"new":{"requests":12,"bad":0,"audio_ms":18000,"new_units":["13e4e348593bbdfa","4254366fe0a31d5e","47fc96ad7dff374e","5863d77839c780aa","7d27b93966da9da2","9d6844225a46b775","d2f41f0ffbec2885","dd2e662c4ee92f30","dd53d4731f85d5bb","e158497066e90064","f01f5d9177b8b371","fdc9e17458c40bf6"],"statuses":{"2xx":12},"rules":{"share":12},"groups":{"4":{"requests":1,"bad":0,"ms":{"36":1}},"5":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":2,"bad":0,"ms":{"0":2}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"14":1}},"10":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"14":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"32":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":68,"bad":0,"audio_ms":102000,"new_units":["0282016212de1c88","0589b3c4c6829042","0a12c11ef3e91191","0bb6181b88284bad","0fe887812d0ac777","11dc064ea81736c1","13069c0b6241666f","1423e6be85cd10c0","190c6e8da51f8dab","1faf7850750f91e4","20d8caa917489265","21f1e3a583ccb0a7","2375ace612c47df2","24eaa495ed9eb46f","289c32848f75ac47","290db3a9142baf05","2a220c986d9c94a7","2e6bdae1e5bfb071","382d9a79be5b843a","38d2dbd62f226117","3d982a8fa5b5853b","408a2c7afb03555d","41dff1790d1403a2","45e7bd55e6d18a90","49b2fe8ec2333e08","4ac992bab069653c","4cbbc9defd54c881","4f4e73f8e4b18182","50cd25cc837083cc","52197318c8aa7861","562c8cf7696a4bc0","5a4da33b27d0f39a","5d79766769032719","5eccc9c64cc8dcae","66f3678dcf5514f1","75674bc574b18ba1","756a2f6c4c901a03","7a71937a30f7ee60","80a7c5b1cd052b69","81196f479e2fad31","865c6f3548724e5b","8749a8d038d858ad","8f1327622a1651b7","91b0483852dab76c","98cccba4eb2a9df3","9961b6801766546e","9e446ebb05c15ef9","a189e54fdf3ad4b8","a604f3862e6be713","a91ce46c64381bb4","b073f26eaef38674","b3a249ed61df1909","b4432e262a72ad83","b4c096f539c2f494","b52e0dc7a9ceaa2c","bcbd6e6bf3680b8a","c110b23824b4a560","c5c6e920e15b19c1","c611c703544c46e5","c852e7726ddd632e","cb915e8bd89425ba","dd4623f5e33807d1","e18873b89bb03c6d","e59172dfe934fbeb","eccb4c461ce4b1c0","edea560b6b6cdcee","eebdec6bbbd4c72b","f4bce718face3130"],"statuses":{"2xx":68},"rules":{"rest":68},"groups":{"0":{"requests":9,"bad":0,"ms":{"0":4,"14":2,"22":2,"28":1}},"1":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"3":{"requests":1,"bad":0,"ms":{"32":1}},"4":{"requests":2,"bad":0,"ms":{"0":1,"28":1}},"5":{"requests":7,"bad":0,"ms":{"0":6,"42":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":3,"bad":0,"ms":{"0":3}},"8":{"requests":3,"bad":0,"ms":{"0":3}},"9":{"requests":4,"bad":0,"ms":{"0":2,"28":1,"36":1}},"10":{"requests":3,"bad":0,"ms":{"0":2,"14":1}},"11":{"requests":5,"bad":0,"ms":{"0":2,"14":1,"22":1,"28":1}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":3,"bad":0,"ms":{"0":2,"28":1}},"14":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"15":{"requests":5,"bad":0,"ms":{"0":4,"28":1}},"16":{"requests":3,"bad":0,"ms":{"0":2,"36":1}},"17":{"requests":5,"bad":0,"ms":{"0":4,"22":1}},"18":{"requests":3,"bad":0,"ms":{"0":2,"32":1}},"19":{"requests":3,"bad":0,"ms":{"0":1,"14":1,"22":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','bad','74a915c9e151d7445aafd6dafca5a70a',1795902967.482,'{"version":"new","unit":"7d27b93966da9da2","request_id":"74a915c9e151d7445aafd6dafca5a70a","status":500,"attempts":1,"ms":4.0}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','bad','1f2c2e0e4ff32a5bb361369e719957d6',1795902967.534,'{"version":"new","unit":"e158497066e90064","request_id":"1f2c2e0e4ff32a5bb361369e719957d6","status":500,"attempts":1,"ms":6.0}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','bad','8b7f1fedbd3e5fa2688459ea0a24d0cf',1795902967.75,'{"version":"new","unit":"5863d77839c780aa","request_id":"8b7f1fedbd3e5fa2688459ea0a24d0cf","status":500,"attempts":1,"ms":5.0}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','second','1795902967:28026:share:2000',1795902967.0,'{"new":{"requests":7,"bad":3,"audio_ms":10500,"new_units":[],"statuses":{"2xx":4,"5xx":3},"rules":{"share":7},"groups":{"6":{"requests":2,"bad":1,"ms":{"0":1,"273":1}},"8":{"requests":2,"bad":1,"ms":{"0":1,"273":1}},"10":{"requests":2,"bad":1,"ms":{"0":1,"273":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":12,"bad":0,"audio_ms":18000,"new_units":[],"statuses":{"2xx":12},"rules":{"rest":12},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":2}},"5":{"requests":5,"bad":0,"ms":{"0":5}},"11":{"requests":3,"bad":0,"ms":{"0":3}},"19":{"requests":2,"bad":0,"ms":{"0":2}}}}}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795902967:47556:share:2000',1795902967.0,'{"new":{"requests":1,"bad":0,"audio_ms":1500,"new_units":[],"statuses":{"2xx":1},"rules":{"share":1},"groups":{"5":{"requests":1,"bad":0,"ms":{"22":1}}}},"old":{"requests":10,"bad":0,"audio_ms":15000,"new_units":[],"statuses":{"2xx":10},"rules":{"rest":10},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":1,"14":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"9":{"requests":1,"bad":0,"ms":{"22":1}},"10":{"requests":2,"bad":0,"ms":{"0":2}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":1,"bad":0,"ms":{"14":1}},"19":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','second','1795902968:47556:share:2000',1795902968.0,'{"new":{"requests":7,"bad":0,"audio_ms":10500,"new_units":[],"statuses":{"2xx":7},"rules":{"share":7},"groups":{"4":{"requests":1,"bad":0,"ms":{"0":1}},"6":{"requests":1,"bad":0,"ms":{"56":1}},"9":{"requests":1,"bad":0,"ms":{"22":1}},"10":{"requests":1,"bad":0,"ms":{"14":1}},"13":{"requests":1,"bad":0,"ms":{"45":1}},"14":{"requests":1,"bad":0,"ms":{"45":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":51,"bad":0,"audio_ms":76500,"new_units":[],"statuses":{"2xx":51},"rules":{"rest":51},"groups":{"0":{"requests":6,"bad":0,"ms":{"0":5,"14":1}},"1":{"requests":2,"bad":0,"ms":{"0":2}},"2":{"requests":2,"bad":0,"ms":{"0":2}},"3":{"requests":1,"bad":0,"ms":{"22":1}},"4":{"requests":2,"bad":0,"ms":{"0":2}},"5":{"requests":4,"bad":0,"ms":{"0":4}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"7":{"requests":3,"bad":0,"ms":{"0":3}},"8":{"requests":2,"bad":0,"ms":{"0":2}},"9":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"11":{"requests":2,"bad":0,"ms":{"0":2}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"14":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"15":{"requests":5,"bad":0,"ms":{"0":3,"22":2}},"16":{"requests":2,"bad":0,"ms":{"0":2}},"17":{"requests":5,"bad":0,"ms":{"0":2,"22":1,"28":1,"39":1}},"18":{"requests":3,"bad":0,"ms":{"0":3}},"19":{"requests":1,"bad":0,"ms":{"32":1}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79590296631481647487e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.79590296696335124972e+09,'admitted','{"from":"admission","to":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','share','share:2000',NULL,NULL,NULL,'root',1.79590296631481647487e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"share","stage_index":0,"entered_at":1795902966.9633512,"started_at":1795902966.3148165,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"1daa6f8999f3ff3955ce6c5e":47556},"read":47556}');
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

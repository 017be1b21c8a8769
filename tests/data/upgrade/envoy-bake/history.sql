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
INSERT INTO "evidence" VALUES(1,1,'share:2000','second','1795902949:5061:share:2000',1795902949.0,'{"new":{"requests":5,"bad":0,"audio_ms":7500,"new_units":["158860e84ad1a8ac","3e419e706e6de0b0","53271d26a0a5cdfb","7b5678839113d752","fc0e4498689637b9"],"statuses":{"2xx":5},"rules":{"share":5},"groups":{"5":{"requests":1,"bad":0,"ms":{"32":1}},"6":{"requests":1,"bad":0,"ms":{"0":1}},"8":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"14":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}}}},"old":{"requests":13,"bad":0,"audio_ms":19500,"new_units":["04b1fd326cd8cded","19588467c5aaa375","202d55e70a155d2c","26465296e73b0585","3cb331862833a60c","4f843f26cea12833","66ff7adb1bd32715","840836e12a36f0ac","87112cf1de2b116a","87457c9d1b49e13f","a32a962f9fbfb4e6","a5ba2b6725ae4ebc","ed958abef55b3157"],"statuses":{"2xx":13},"rules":{"rest":13},"groups":{"1":{"requests":1,"bad":0,"ms":{"14":1}},"2":{"requests":1,"bad":0,"ms":{"0":1}},"3":{"requests":1,"bad":0,"ms":{"0":1}},"4":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":2,"bad":0,"ms":{"0":2}},"10":{"requests":1,"bad":0,"ms":{"0":1}},"11":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":1,"bad":0,"ms":{"0":1}},"13":{"requests":1,"bad":0,"ms":{"0":1}},"15":{"requests":1,"bad":0,"ms":{"0":1}},"16":{"requests":2,"bad":0,"ms":{"0":1,"28":1}}}}}');
INSERT INTO "evidence" VALUES(2,1,'share:2000','bad','9f4e7348-1e7f-4993-938e-5bdcdafe1378',1795902949.494,'{"version":"new","unit":"fc0e4498689637b9","request_id":"9f4e7348-1e7f-4993-938e-5bdcdafe1378","status":500,"attempts":1,"ms":1.0}');
INSERT INTO "evidence" VALUES(3,1,'share:2000','bad','6c1d5dad-a0a5-40ee-93b6-0acd54461397',1795902949.558,'{"version":"new","unit":"3e419e706e6de0b0","request_id":"6c1d5dad-a0a5-40ee-93b6-0acd54461397","status":500,"attempts":1,"ms":12.0}');
INSERT INTO "evidence" VALUES(4,1,'share:2000','second','1795902949:23614:share:2000',1795902949.0,'{"new":{"requests":9,"bad":2,"audio_ms":13500,"new_units":["0d6d9ad68fd65997","0e581054ef315034","2888f07c0f117763","563b8e9d1cc71dd1","695e555975c8a16d","f0b7917e1bd604d0","f7c44d84ac4acfa1"],"statuses":{"2xx":7,"5xx":2},"rules":{"share":9},"groups":{"1":{"requests":1,"bad":0,"ms":{"0":1}},"5":{"requests":2,"bad":1,"ms":{"0":1,"273":1}},"7":{"requests":1,"bad":0,"ms":{"36":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"12":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"15":{"requests":1,"bad":0,"ms":{"42":1}},"16":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":57,"bad":0,"audio_ms":85500,"new_units":["093f754f70503f74","0b4ac26dcbe58b6a","0f4bf24eb22beb1e","1094f8f213c32868","16c67e7470e8bd47","1975e2feaade1a38","1bae7da3c16b0214","2a7056b05cad9eb0","2fb954abc6411cfa","322d1a8adf6b83ca","3299003e83fe91d4","3427ce9027264cbe","38892e0432855a1d","3e8330d6b478caae","438065685b4b972a","48c30a126e05eab2","4ac95c0c304a4cb0","4e03cc62f07da54b","4eb40cee245777a8","52ea96aba443b476","55fb216ba914e58c","570718b13e839857","5806430c2e17e3a8","5b0227d435bf72d8","5c39787cbadfd101","5da6a7701c21172b","6084148b51044e00","613585bce1681932","6b156ea78543e8e0","6de9040636a6b165","774e90d899eb86f4","79b18595d429e55b","7ba9290a0a28bdd4","7c87e0dd271d0688","7dd78443e3403a53","7e99fe8a1c620451","83b9111dfc449b9e","855e911eb36d6f4e","87d8c7cd73171642","91e3b12b5cc376cf","976a6e546959be3d","9820108764c8a509","9d0cbc48dad6bd13","acc7f58e157c951f","ae1ecfada36acb1f","bfcb8a8eabfcceb4","bfef25ae38bb449e","c1df833e89b2a0ed","c4e5a802f31a19b7","ca707c780e31747b","d0d84a6e71eaf9e8","f4d7506deb9c2631","f55a0244b7e26fc2","f57dfcf5c866bae0","f7c35f83a5724ea5"],"statuses":{"2xx":57},"rules":{"rest":57},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":1,"32":1}},"1":{"requests":3,"bad":0,"ms":{"0":3}},"2":{"requests":2,"bad":0,"ms":{"0":1,"36":1}},"3":{"requests":3,"bad":0,"ms":{"0":1,"22":2}},"4":{"requests":5,"bad":0,"ms":{"0":2,"22":1,"45":1,"55":1}},"5":{"requests":3,"bad":0,"ms":{"0":2,"42":1}},"6":{"requests":4,"bad":0,"ms":{"0":3,"14":1}},"7":{"requests":3,"bad":0,"ms":{"0":2,"22":1}},"8":{"requests":5,"bad":0,"ms":{"0":3,"32":1,"55":1}},"9":{"requests":1,"bad":0,"ms":{"0":1}},"10":{"requests":4,"bad":0,"ms":{"0":3,"50":1}},"11":{"requests":3,"bad":0,"ms":{"0":3}},"12":{"requests":3,"bad":0,"ms":{"0":3}},"14":{"requests":4,"bad":0,"ms":{"0":4}},"15":{"requests":2,"bad":0,"ms":{"0":2}},"16":{"requests":5,"bad":0,"ms":{"0":5}},"17":{"requests":2,"bad":0,"ms":{"0":1,"39":1}},"18":{"requests":1,"bad":0,"ms":{"0":1}},"19":{"requests":2,"bad":0,"ms":{"0":1,"22":1}}}}}');
INSERT INTO "evidence" VALUES(5,1,'share:2000','bad','5bbeea50-3193-4461-838e-b16e4f405b24',1795902949.878,'{"version":"new","unit":"7b5678839113d752","request_id":"5bbeea50-3193-4461-838e-b16e4f405b24","status":500,"attempts":1,"ms":0.0}');
INSERT INTO "evidence" VALUES(6,1,'share:2000','second','1795902949:24739:share:2000',1795902949.0,'{"new":{"requests":1,"bad":1,"audio_ms":1500,"new_units":[],"statuses":{"5xx":1},"rules":{"share":1},"groups":{"6":{"requests":1,"bad":1,"ms":{"273":1}}}},"old":{"requests":2,"bad":0,"audio_ms":3000,"new_units":[],"statuses":{"2xx":2},"rules":{"rest":2},"groups":{"1":{"requests":1,"bad":0,"ms":{"39":1}},"16":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(7,1,'share:2000','second','1795902950:24739:share:2000',1795902950.0,'{"old":{"requests":1,"bad":0,"audio_ms":1500,"new_units":[],"statuses":{"2xx":1},"rules":{"rest":1},"groups":{"4":{"requests":1,"bad":0,"ms":{"0":1}}}}}');
INSERT INTO "evidence" VALUES(8,1,'bake','second','1795902950:47372:bake',1795902950.0,'{"new":{"requests":80,"bad":0,"audio_ms":120000,"new_units":["04b1fd326cd8cded","093f754f70503f74","0b4ac26dcbe58b6a","0d6d9ad68fd65997","0e581054ef315034","0f4bf24eb22beb1e","1094f8f213c32868","158860e84ad1a8ac","16c67e7470e8bd47","19588467c5aaa375","1975e2feaade1a38","1bae7da3c16b0214","202d55e70a155d2c","26465296e73b0585","2888f07c0f117763","2a7056b05cad9eb0","2fb954abc6411cfa","322d1a8adf6b83ca","3299003e83fe91d4","3427ce9027264cbe","38892e0432855a1d","3cb331862833a60c","3e419e706e6de0b0","3e8330d6b478caae","438065685b4b972a","48c30a126e05eab2","4ac95c0c304a4cb0","4e03cc62f07da54b","4eb40cee245777a8","4f843f26cea12833","52ea96aba443b476","53271d26a0a5cdfb","55fb216ba914e58c","563b8e9d1cc71dd1","570718b13e839857","5806430c2e17e3a8","5b0227d435bf72d8","5c39787cbadfd101","5da6a7701c21172b","6084148b51044e00","613585bce1681932","66ff7adb1bd32715","695e555975c8a16d","6b156ea78543e8e0","6de9040636a6b165","774e90d899eb86f4","79b18595d429e55b","7b5678839113d752","7ba9290a0a28bdd4","7c87e0dd271d0688","7dd78443e3403a53","7e99fe8a1c620451","83b9111dfc449b9e","840836e12a36f0ac","855e911eb36d6f4e","87112cf1de2b116a","87457c9d1b49e13f","87d8c7cd73171642","91e3b12b5cc376cf","976a6e546959be3d","9820108764c8a509","9d0cbc48dad6bd13","a32a962f9fbfb4e6","a5ba2b6725ae4ebc","acc7f58e157c951f","ae1ecfada36acb1f","bfcb8a8eabfcceb4","bfef25ae38bb449e","c1df833e89b2a0ed","c4e5a802f31a19b7","ca707c780e31747b","d0d84a6e71eaf9e8","ed958abef55b3157","f0b7917e1bd604d0","f4d7506deb9c2631","f55a0244b7e26fc2","f57dfcf5c866bae0","f7c35f83a5724ea5","f7c44d84ac4acfa1","fc0e4498689637b9"],"statuses":{"2xx":80},"rules":{"share":80},"groups":{"0":{"requests":2,"bad":0,"ms":{"0":2}},"1":{"requests":5,"bad":0,"ms":{"0":2,"14":1,"22":1,"28":1}},"2":{"requests":3,"bad":0,"ms":{"0":3}},"3":{"requests":4,"bad":0,"ms":{"0":3,"14":1}},"4":{"requests":6,"bad":0,"ms":{"0":5,"28":1}},"5":{"requests":7,"bad":0,"ms":{"0":5,"14":1,"39":1}},"6":{"requests":5,"bad":0,"ms":{"0":5}},"7":{"requests":4,"bad":0,"ms":{"0":3,"42":1}},"8":{"requests":6,"bad":0,"ms":{"0":5,"32":1}},"9":{"requests":2,"bad":0,"ms":{"0":1,"22":1}},"10":{"requests":5,"bad":0,"ms":{"0":4,"45":1}},"11":{"requests":3,"bad":0,"ms":{"0":2,"39":1}},"12":{"requests":6,"bad":0,"ms":{"0":3,"14":2,"28":1}},"13":{"requests":1,"bad":0,"ms":{"39":1}},"14":{"requests":4,"bad":0,"ms":{"0":4}},"15":{"requests":5,"bad":0,"ms":{"0":3,"28":1,"45":1}},"16":{"requests":7,"bad":0,"ms":{"0":3,"14":2,"28":1,"36":1}},"17":{"requests":2,"bad":0,"ms":{"0":2}},"18":{"requests":1,"bad":0,"ms":{"22":1}},"19":{"requests":2,"bad":0,"ms":{"0":2}}}}}');
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
INSERT INTO "release_events" VALUES(1,1,1.79590294814266109467e+09,'started','{"by":"root","reason":"","version":"new"}');
INSERT INTO "release_events" VALUES(2,1,1.7959029487124614716e+09,'admitted','{"from":"admission","to":"share:2000"}');
INSERT INTO "release_events" VALUES(3,1,1.79590295023921275134e+09,'promote_asked','{"by":"root","reason":"it does well","from":"share:2000"}');
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
INSERT INTO "releases" VALUES(1,'new','old','bake','bake',NULL,NULL,NULL,'root',1.79590294814266109467e+09,NULL,'{"id":1,"candidate":"new","stable":"old","phase":"bake","stage_index":1,"entered_at":1795902950.2392128,"started_at":1795902948.142661,"held":null,"held_seconds":0.0,"held_at":null,"plan":[{"share_bp":2000,"for_seconds":43200.0,"at_least":0},{"share_bp":10000,"for_seconds":43200.0,"at_least":0}],"rules":{"guards":[{"name":"errors","measure":"difference","fail_above":0.5,"at_most":0.6,"quantile":null},{"name":"crashes","measure":"count","fail_above":0.0,"at_most":null,"quantile":null},{"name":"latency","measure":"ratio","fail_above":50.0,"at_most":60.0,"quantile":0.95},{"name":"cer","measure":"difference","fail_above":0.0,"at_most":0.003,"quantile":null},{"name":"numerals","measure":"difference","fail_above":0.0,"at_most":0.005,"quantile":null}],"alpha":0.01,"beta":0.05},"watch":{"verdicts":{},"looks":0,"certifying":0,"taken":0.0,"pids":{},"mismatches":{}}}');
CREATE TABLE state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "state" VALUES('fleet','{"stable":"old","previous":null,"running":1,"last_release":1,"fence":0,"addresses":{"new":"http://127.0.0.1:{new}","old":"http://127.0.0.1:{old}"}}');
INSERT INTO "state" VALUES('log_checkpoint','{"files":{"fb5e5640cf5245fe6d371b85":47372},"read":47372}');
CREATE INDEX ix_history_release ON recognition_history (release_id, corrected_at);
CREATE INDEX ix_history_created ON recognition_history (created_time);
CREATE INDEX ix_events_release ON release_events (release_id, id);
CREATE INDEX ix_evidence_release ON evidence (release_id, id);
COMMIT;

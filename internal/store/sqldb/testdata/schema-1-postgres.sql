-- A database as the first Chairlift that ran on PostgreSQL left it, in schema 1,
-- with some rows. It is not to be changed: it is what somebody may still have.
CREATE TABLE chairlift_index (
    kind text NOT NULL,
    name text NOT NULL
);
CREATE TABLE chairlift_kind (
    kind text NOT NULL
);
CREATE TABLE chairlift_schema (
    version bigint NOT NULL
);
CREATE TABLE chairlift_writer (
    id text NOT NULL,
    commits bigint NOT NULL,
    beat timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE doc_alias (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_region text COLLATE pg_catalog."C"
);
CREATE TABLE doc_build (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_region text COLLATE pg_catalog."C",
    by_received text COLLATE pg_catalog."C",
    by_deleted text COLLATE pg_catalog."C"
);
CREATE TABLE doc_configuration (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_ruleset text COLLATE pg_catalog."C"
);
CREATE TABLE doc_conversation (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_creator (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_effect (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_to text COLLATE pg_catalog."C"
);
CREATE TABLE doc_event (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_fleet text COLLATE pg_catalog."C"
);
CREATE TABLE doc_fleet (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_region text COLLATE pg_catalog."C",
    by_build text COLLATE pg_catalog."C"
);
CREATE TABLE doc_instance (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_fleet text COLLATE pg_catalog."C"
);
CREATE TABLE doc_key (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_account text COLLATE pg_catalog."C"
);
CREATE TABLE doc_location (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_match (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_placement (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_waiting text COLLATE pg_catalog."C"
);
CREATE TABLE doc_player (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_session text COLLATE pg_catalog."C",
    by_live text COLLATE pg_catalog."C",
    by_player text COLLATE pg_catalog."C"
);
CREATE TABLE doc_process (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_idle text COLLATE pg_catalog."C",
    by_fleet text COLLATE pg_catalog."C",
    by_instance text COLLATE pg_catalog."C"
);
CREATE TABLE doc_queue (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_ruleset (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_scaling (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_script (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_region text COLLATE pg_catalog."C"
);
CREATE TABLE doc_secret (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_seeker (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint
);
CREATE TABLE doc_session (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_fleet text COLLATE pg_catalog."C",
    by_live text COLLATE pg_catalog."C"
);
CREATE TABLE doc_ticket (
    id text NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL,
    body bytea,
    due bigint,
    until bigint,
    owner text COLLATE pg_catalog."C",
    at bigint,
    by_live text COLLATE pg_catalog."C",
    by_arriving text COLLATE pg_catalog."C"
);
INSERT INTO chairlift_index (kind, name) VALUES ('alias', 'region');
INSERT INTO chairlift_index (kind, name) VALUES ('build', 'region');
INSERT INTO chairlift_index (kind, name) VALUES ('build', 'received');
INSERT INTO chairlift_index (kind, name) VALUES ('build', 'deleted');
INSERT INTO chairlift_index (kind, name) VALUES ('configuration', 'ruleset');
INSERT INTO chairlift_index (kind, name) VALUES ('effect', 'to');
INSERT INTO chairlift_index (kind, name) VALUES ('event', 'fleet');
INSERT INTO chairlift_index (kind, name) VALUES ('fleet', 'region');
INSERT INTO chairlift_index (kind, name) VALUES ('fleet', 'build');
INSERT INTO chairlift_index (kind, name) VALUES ('instance', 'fleet');
INSERT INTO chairlift_index (kind, name) VALUES ('key', 'account');
INSERT INTO chairlift_index (kind, name) VALUES ('placement', 'waiting');
INSERT INTO chairlift_index (kind, name) VALUES ('player', 'session');
INSERT INTO chairlift_index (kind, name) VALUES ('player', 'live');
INSERT INTO chairlift_index (kind, name) VALUES ('player', 'player');
INSERT INTO chairlift_index (kind, name) VALUES ('process', 'idle');
INSERT INTO chairlift_index (kind, name) VALUES ('process', 'fleet');
INSERT INTO chairlift_index (kind, name) VALUES ('process', 'instance');
INSERT INTO chairlift_index (kind, name) VALUES ('script', 'region');
INSERT INTO chairlift_index (kind, name) VALUES ('session', 'fleet');
INSERT INTO chairlift_index (kind, name) VALUES ('session', 'live');
INSERT INTO chairlift_index (kind, name) VALUES ('ticket', 'live');
INSERT INTO chairlift_index (kind, name) VALUES ('ticket', 'arriving');
INSERT INTO chairlift_kind (kind) VALUES ('alias');
INSERT INTO chairlift_kind (kind) VALUES ('build');
INSERT INTO chairlift_kind (kind) VALUES ('configuration');
INSERT INTO chairlift_kind (kind) VALUES ('conversation');
INSERT INTO chairlift_kind (kind) VALUES ('creator');
INSERT INTO chairlift_kind (kind) VALUES ('effect');
INSERT INTO chairlift_kind (kind) VALUES ('event');
INSERT INTO chairlift_kind (kind) VALUES ('fleet');
INSERT INTO chairlift_kind (kind) VALUES ('instance');
INSERT INTO chairlift_kind (kind) VALUES ('key');
INSERT INTO chairlift_kind (kind) VALUES ('location');
INSERT INTO chairlift_kind (kind) VALUES ('match');
INSERT INTO chairlift_kind (kind) VALUES ('placement');
INSERT INTO chairlift_kind (kind) VALUES ('player');
INSERT INTO chairlift_kind (kind) VALUES ('process');
INSERT INTO chairlift_kind (kind) VALUES ('queue');
INSERT INTO chairlift_kind (kind) VALUES ('ruleset');
INSERT INTO chairlift_kind (kind) VALUES ('scaling');
INSERT INTO chairlift_kind (kind) VALUES ('script');
INSERT INTO chairlift_kind (kind) VALUES ('secret');
INSERT INTO chairlift_kind (kind) VALUES ('seeker');
INSERT INTO chairlift_kind (kind) VALUES ('session');
INSERT INTO chairlift_kind (kind) VALUES ('ticket');
INSERT INTO chairlift_schema (version) VALUES (1);
INSERT INTO chairlift_writer (id, commits, beat) VALUES ('7d8c34246a9f67329e4f9449', 2, '2026-11-25 03:30:43.191188+00');
INSERT INTO doc_build (id, version, body, due, until, owner, at, by_region, by_received, by_deleted) VALUES ('build-1', 1, convert_to('{"ID":"build-1","Region":"us-west-2","Account":"","Name":"arena","Version":"1","OperatingSystem":"","ServerSDKVersion":"","Status":"READY","Reason":"","SizeBytes":0,"Bucket":"","Key":"","CreatedAt":"2026-11-24T17:00:00Z","UploadBy":"0001-01-01T00:00:00Z","ReceivedAt":"0001-01-01T00:00:00Z","Deleted":false}', 'UTF8'), NULL, NULL, NULL, NULL, 'us-west-2/', NULL, NULL);
INSERT INTO doc_build (id, version, body, due, until, owner, at, by_region, by_received, by_deleted) VALUES ('build-2', 1, convert_to('{"ID":"build-2","Region":"us-west-2","Account":"","Name":"half sent","Version":"","OperatingSystem":"","ServerSDKVersion":"","Status":"INITIALIZED","Reason":"","SizeBytes":0,"Bucket":"","Key":"","CreatedAt":"2026-11-24T17:00:00Z","UploadBy":"0001-01-01T00:00:00Z","ReceivedAt":"0001-01-01T00:00:00Z","Deleted":false}', 'UTF8'), NULL, NULL, NULL, NULL, 'us-west-2/', NULL, NULL);
INSERT INTO doc_fleet (id, version, body, due, until, owner, at, by_region, by_build) VALUES ('fleet-1', 1, convert_to('{"ID":"fleet-1","Region":"us-west-2","Account":"","Name":"Überflotte ''x''","Description":"","BuildID":"build-1","OperatingSystem":"","InstanceType":"","FleetType":"","Status":"ACTIVE","Reason":"","Protection":"","CreatorLimit":{"Sessions":0,"Minutes":0},"Runtime":{"ServerProcesses":null},"LaunchPath":"","LaunchParams":"","InstanceRoleARN":"","RoleProvider":"","Capacity":{"Desired":1,"Min":0,"Max":1},"ScalingStopped":false,"CreatedAt":"2026-11-24T17:00:00Z","ActivateBy":"0001-01-01T00:00:00Z","TerminatedAt":"0001-01-01T00:00:00Z","RetryAt":"0001-01-01T00:00:00Z","EarlyExits":0,"Retries":0,"LookAt":"0001-01-01T00:00:00Z","Tags":{"team":"blue"}}', 'UTF8'), NULL, NULL, NULL, NULL, 'us-west-2/', 'build-1');
INSERT INTO doc_fleet (id, version, body, due, until, owner, at, by_region, by_build) VALUES ('fleet-2', 1, convert_to('{"ID":"fleet-2","Region":"eu-west-1","Account":"","Name":"","Description":"","BuildID":"build-1","OperatingSystem":"","InstanceType":"","FleetType":"","Status":"TERMINATED","Reason":"","Protection":"","CreatorLimit":{"Sessions":0,"Minutes":0},"Runtime":{"ServerProcesses":null},"LaunchPath":"","LaunchParams":"","InstanceRoleARN":"","RoleProvider":"","Capacity":{"Desired":0,"Min":0,"Max":0},"ScalingStopped":false,"CreatedAt":"2026-11-24T17:00:00Z","ActivateBy":"0001-01-01T00:00:00Z","TerminatedAt":"2026-11-24T17:01:00Z","RetryAt":"0001-01-01T00:00:00Z","EarlyExits":0,"Retries":0,"LookAt":"0001-01-01T00:00:00Z"}', 'UTF8'), 1795543260000000, NULL, NULL, 1795543260000000, NULL, NULL);
INSERT INTO doc_instance (id, version, body, due, until, owner, at, by_fleet) VALUES ('i-1', 1, convert_to('{"ID":"i-1","FleetID":"fleet-1","Region":"us-west-2","Location":"","Type":"","Status":"ACTIVE","Stage":"","Address":"","DNSName":"","TokenHash":"","Activating":0,"CreatedAt":"0001-01-01T00:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","StopBy":"0001-01-01T00:00:00Z","EndedAt":"0001-01-01T00:00:00Z","Reason":""}', 'UTF8'), NULL, NULL, NULL, NULL, 'fleet-1/');
INSERT INTO doc_placement (id, version, body, due, until, owner, at, by_waiting) VALUES ('us-west-2/pl-1', 2, convert_to('{"ID":"pl-1","Region":"us-west-2","Account":"","Queue":"q","Status":"PENDING","Name":"","MaxPlayers":2,"StartedAt":"2026-11-24T17:00:00Z","Deadline":"2026-11-24T18:00:00Z","TryAt":"2026-11-24T17:00:00Z","Attempts":1,"SessionID":"","Address":"","DNSName":"","Port":0,"EndedAt":"0001-01-01T00:00:00Z","KeepUntil":"0001-01-01T00:00:00Z","Reason":"","Request":""}', 'UTF8'), 1795539600000000, 1795539630000000, 'somebody', 1795539630000000, 'us-west-2/q/20261124T170000.000000');
INSERT INTO doc_player (id, version, body, due, until, owner, at, by_session, by_live, by_player) VALUES ('psess-1', 1, convert_to('{"ID":"psess-1","PlayerID":"ann/\u001f","GameSessionID":"s-1","FleetID":"fleet-1","Region":"us-west-2","Status":"RESERVED","Address":"","DNSName":"","Port":0,"CreatedAt":"2026-11-24T17:00:00Z","ReservedUntil":"2026-11-24T17:01:00Z","EndedAt":"0001-01-01T00:00:00Z","KeepUntil":"0001-01-01T00:00:00Z"}', 'UTF8'), 1795539660000000, NULL, NULL, 1795539660000000, 's-1/', 's-1/', 'us-west-2/ann/');
INSERT INTO doc_process (id, version, body, due, until, owner, at, by_idle, by_fleet, by_instance) VALUES ('p-1', 1, convert_to('{"ID":"p-1","InstanceID":"i-1","FleetID":"fleet-1","Region":"us-west-2","Location":"","State":"IDLE","Unhealthy":false,"LaunchPath":"","Parameters":"","OSPID":0,"Address":"","DNSName":"","Port":7001,"SDKVersion":"","SDKLanguage":"","SessionID":"","StartedAt":"2026-11-24T17:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","EndedAt":"0001-01-01T00:00:00Z","Exit":""}', 'UTF8'), NULL, NULL, NULL, NULL, 'fleet-1/i-1', 'fleet-1/', 'i-1/');
INSERT INTO doc_process (id, version, body, due, until, owner, at, by_idle, by_fleet, by_instance) VALUES ('p-2', 1, convert_to('{"ID":"p-2","InstanceID":"i-1","FleetID":"fleet-1","Region":"us-west-2","Location":"","State":"HOSTING","Unhealthy":false,"LaunchPath":"","Parameters":"","OSPID":0,"Address":"","DNSName":"","Port":7002,"SDKVersion":"","SDKLanguage":"","SessionID":"s-1","StartedAt":"2026-11-24T17:00:00Z","ReadyAt":"0001-01-01T00:00:00Z","EndedAt":"0001-01-01T00:00:00Z","Exit":""}', 'UTF8'), NULL, NULL, NULL, NULL, NULL, 'fleet-1/', 'i-1/');
INSERT INTO doc_queue (id, version, body, due, until, owner, at) VALUES ('us-west-2/q', 1, convert_to('{"Name":"q","Region":"us-west-2","Account":"","TimeoutSeconds":0,"Destinations":null,"CustomEventData":"","NotificationTarget":"","CreatedAt":"0001-01-01T00:00:00Z"}', 'UTF8'), NULL, NULL, NULL, NULL);
INSERT INTO doc_secret (id, version, body, due, until, owner, at) VALUES ('tokens', 1, convert_to('{"Name":"tokens","Value":"AAH+/w=="}', 'UTF8'), NULL, NULL, NULL, NULL);
INSERT INTO doc_session (id, version, body, due, until, owner, at, by_fleet, by_live) VALUES ('s-0', 1, convert_to('{"ID":"s-0","FleetID":"fleet-1","Region":"us-west-2","Location":"","InstanceID":"","ProcessID":"","Name":"","Status":"TERMINATED","StatusReason":"","MaxPlayers":0,"PlayerCount":0,"Policy":"","Protection":"","CreatorID":"","Address":"","DNSName":"","Port":0,"CreatedAt":"2026-11-24T16:00:00Z","ActivateBy":"0001-01-01T00:00:00Z","EndedAt":"2026-11-24T17:00:00Z","Ended":"","KeepUntil":"2026-12-24T17:00:00Z","PlacementID":"","Queue":"","QueueRegion":"","Request":"","Capped":false}', 'UTF8'), 1798131600000000, NULL, NULL, 1798131600000000, 'fleet-1/20261124T160000.000000', NULL);
INSERT INTO doc_session (id, version, body, due, until, owner, at, by_fleet, by_live) VALUES ('s-1', 1, convert_to('{"ID":"s-1","FleetID":"fleet-1","Region":"us-west-2","Location":"","InstanceID":"i-1","ProcessID":"p-2","Name":"evening","Status":"ACTIVE","StatusReason":"","MaxPlayers":4,"PlayerCount":1,"Policy":"","Protection":"","CreatorID":"","Address":"","DNSName":"","Port":0,"CreatedAt":"2026-11-24T17:00:00Z","ActivateBy":"0001-01-01T00:00:00Z","EndedAt":"0001-01-01T00:00:00Z","Ended":"","KeepUntil":"0001-01-01T00:00:00Z","PlacementID":"","Queue":"","QueueRegion":"","Request":"","Capped":false}', 'UTF8'), NULL, NULL, NULL, NULL, 'fleet-1/20261124T170000.000000', 'fleet-1/ACTIVE');
ALTER TABLE ONLY chairlift_index
    ADD CONSTRAINT chairlift_index_pkey PRIMARY KEY (kind, name);
ALTER TABLE ONLY chairlift_kind
    ADD CONSTRAINT chairlift_kind_pkey PRIMARY KEY (kind);
ALTER TABLE ONLY chairlift_writer
    ADD CONSTRAINT chairlift_writer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_alias
    ADD CONSTRAINT doc_alias_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_build
    ADD CONSTRAINT doc_build_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_configuration
    ADD CONSTRAINT doc_configuration_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_conversation
    ADD CONSTRAINT doc_conversation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_creator
    ADD CONSTRAINT doc_creator_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_effect
    ADD CONSTRAINT doc_effect_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_event
    ADD CONSTRAINT doc_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_fleet
    ADD CONSTRAINT doc_fleet_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_instance
    ADD CONSTRAINT doc_instance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_key
    ADD CONSTRAINT doc_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_location
    ADD CONSTRAINT doc_location_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_match
    ADD CONSTRAINT doc_match_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_placement
    ADD CONSTRAINT doc_placement_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_player
    ADD CONSTRAINT doc_player_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_process
    ADD CONSTRAINT doc_process_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_queue
    ADD CONSTRAINT doc_queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_ruleset
    ADD CONSTRAINT doc_ruleset_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_scaling
    ADD CONSTRAINT doc_scaling_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_script
    ADD CONSTRAINT doc_script_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_secret
    ADD CONSTRAINT doc_secret_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_seeker
    ADD CONSTRAINT doc_seeker_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_session
    ADD CONSTRAINT doc_session_pkey PRIMARY KEY (id);
ALTER TABLE ONLY doc_ticket
    ADD CONSTRAINT doc_ticket_pkey PRIMARY KEY (id);
CREATE INDEX doc_alias_by_region ON doc_alias USING btree (by_region, id) WHERE (by_region IS NOT NULL);
CREATE INDEX doc_build_by_deleted ON doc_build USING btree (by_deleted, id) WHERE (by_deleted IS NOT NULL);
CREATE INDEX doc_build_by_received ON doc_build USING btree (by_received, id) WHERE (by_received IS NOT NULL);
CREATE INDEX doc_build_by_region ON doc_build USING btree (by_region, id) WHERE (by_region IS NOT NULL);
CREATE INDEX doc_configuration_by_ruleset ON doc_configuration USING btree (by_ruleset, id) WHERE (by_ruleset IS NOT NULL);
CREATE INDEX doc_effect_by_to ON doc_effect USING btree (by_to, id) WHERE (by_to IS NOT NULL);
CREATE INDEX doc_event_by_fleet ON doc_event USING btree (by_fleet, id) WHERE (by_fleet IS NOT NULL);
CREATE INDEX doc_fleet_by_build ON doc_fleet USING btree (by_build, id) WHERE (by_build IS NOT NULL);
CREATE INDEX doc_fleet_by_region ON doc_fleet USING btree (by_region, id) WHERE (by_region IS NOT NULL);
CREATE INDEX doc_instance_by_fleet ON doc_instance USING btree (by_fleet, id) WHERE (by_fleet IS NOT NULL);
CREATE INDEX doc_key_by_account ON doc_key USING btree (by_account, id) WHERE (by_account IS NOT NULL);
CREATE INDEX doc_placement_by_waiting ON doc_placement USING btree (by_waiting, id) WHERE (by_waiting IS NOT NULL);
CREATE INDEX doc_player_by_live ON doc_player USING btree (by_live, id) WHERE (by_live IS NOT NULL);
CREATE INDEX doc_player_by_player ON doc_player USING btree (by_player, id) WHERE (by_player IS NOT NULL);
CREATE INDEX doc_player_by_session ON doc_player USING btree (by_session, id) WHERE (by_session IS NOT NULL);
CREATE INDEX doc_process_by_fleet ON doc_process USING btree (by_fleet, id) WHERE (by_fleet IS NOT NULL);
CREATE INDEX doc_process_by_idle ON doc_process USING btree (by_idle, id) WHERE (by_idle IS NOT NULL);
CREATE INDEX doc_process_by_instance ON doc_process USING btree (by_instance, id) WHERE (by_instance IS NOT NULL);
CREATE INDEX doc_script_by_region ON doc_script USING btree (by_region, id) WHERE (by_region IS NOT NULL);
CREATE INDEX doc_session_by_fleet ON doc_session USING btree (by_fleet, id) WHERE (by_fleet IS NOT NULL);
CREATE INDEX doc_session_by_live ON doc_session USING btree (by_live, id) WHERE (by_live IS NOT NULL);
CREATE INDEX doc_ticket_by_arriving ON doc_ticket USING btree (by_arriving, id) WHERE (by_arriving IS NOT NULL);
CREATE INDEX doc_ticket_by_live ON doc_ticket USING btree (by_live, id) WHERE (by_live IS NOT NULL);
CREATE INDEX due_alias ON doc_alias USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_build ON doc_build USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_configuration ON doc_configuration USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_conversation ON doc_conversation USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_creator ON doc_creator USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_effect ON doc_effect USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_event ON doc_event USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_fleet ON doc_fleet USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_instance ON doc_instance USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_key ON doc_key USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_location ON doc_location USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_match ON doc_match USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_placement ON doc_placement USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_player ON doc_player USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_process ON doc_process USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_queue ON doc_queue USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_ruleset ON doc_ruleset USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_scaling ON doc_scaling USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_script ON doc_script USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_secret ON doc_secret USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_seeker ON doc_seeker USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_session ON doc_session USING btree (at, id) WHERE (at IS NOT NULL);
CREATE INDEX due_ticket ON doc_ticket USING btree (at, id) WHERE (at IS NOT NULL);

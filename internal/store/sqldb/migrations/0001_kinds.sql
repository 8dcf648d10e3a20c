-- What the tables of documents are: one doc_<kind> for each kind, and in it one
-- column by_<name> for each index that it has.
CREATE TABLE chairlift_kind (kind TEXT PRIMARY KEY NOT NULL);
CREATE TABLE chairlift_index (kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (kind, name));

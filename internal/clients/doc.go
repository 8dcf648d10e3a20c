// Package clients proves Chairlift with the clients people have: unmodified AWS
// SDKs and CLIs of several ages. Every client makes the same journey against a
// real `chairlift serve`, and their answers are compared member by member.
//
// The journey is a text, testdata/journey.txt; package scenario says how it is
// written.
// A driver is a small program around one client. It reads questions from
// standard input and writes answers to standard output, one JSON object a line:
//
//	{"op": "ListFleets", "in": {"Limit": 2}, "pages": "FleetIds"}
//	{"out": {"FleetIds": ["fleet-..."]}}
//	{"error": {"code": "NotFoundException", "message": "..."}}
//	{"unknown": "what this client is too old to say"}
//
// With "pages" a driver collects that member over all pages, by the client's
// own means where it has them. Times are ISO 8601, blobs Base64. Three questions
// are no operations of the API: UploadBuild (Name, Version, OperatingSystem,
// Root: a folder, Zip: the same folder packed) makes a build and uploads it,
// PutObject (Bucket, Key, File: its path) stores a file by S3, and Skew (Seconds)
// sets the clock of the driver's process wrong. Where the service is stands in
// the usual AWS_ variables. To add a client, write a driver and add a line to the
// list in clients_test.go.
//
// What the journeys set and read is kept in testdata/coverage.txt, from which
// the command coverage writes docs/coverage.md. The package knows the API's
// shapes and nothing of the service.
package clients

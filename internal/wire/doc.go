// Package wire is the edge where API clients arrive: it routes, decodes, checks
// the signature and the fields, calls the service, and encodes the answer or the
// error in the protocol the client speaks (AWS JSON 1.1 or Smithy RPC v2 CBOR).
// It is also the way out for our own clients: [Client].
//
// It knows no domain: of package lift only the kinds of errors, which it alone
// turns into exception names.
//
//	handler := wire.NewHandler(wire.Options{Service: ops, Verifier: verifier})
//	front := &wire.Front{API: handler, S3: s3door, Web: console}
//	http.Serve(listener, front)
package wire

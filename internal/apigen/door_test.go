package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// A door is the real wire in front of a service, and a key that may do everything.
type door struct {
	t       testing.TB
	handler http.Handler
	creds   auth.Credentials
	now     time.Time
}

func newDoor(t testing.TB) *door {
	return &door{t: t, creds: auth.NewCredentials(), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
}

// serve puts s behind the door.
func (d *door) serve(s api.Service) {
	key := auth.Key{AccessKeyID: d.creds.AccessKeyID, Secret: d.creds.SecretAccessKey, Account: "000000000000", Principal: "root", Policy: auth.Everything()}
	d.handler = wire.NewHandler(wire.Options{Service: s, Verifier: &auth.Verifier{Keys: auth.Keys{key.AccessKeyID: key}}, Now: d.clock})
}

func (d *door) clock() time.Time { return d.now }

// post sends a signed request and returns the status and body of the answer.
func (d *door) post(o *op, protocol string, body []byte) (int, []byte) {
	path := "/"
	if protocol == "cbor" {
		path = "/service/" + o.service + "/operation/" + o.name
	}
	r := httptest.NewRequest("POST", "http://h"+path, bytes.NewReader(body))
	if protocol == "cbor" {
		r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		r.Header.Set("Content-Type", "application/cbor")
	} else {
		r.Header.Set("X-Amz-Target", o.service+"."+o.name)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	}
	auth.Sign(r, body, d.creds, "us-west-2", "gamelift", d.now)
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

package wire

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

// yesman carries every call out and answers nothing.
type yesman struct{}

func (yesman) Invoke(context.Context, *api.Operation, api.Shape, api.Shape) error { return nil }

// FuzzRequest sends signed requests of any shape, by header and by query: the
// answer can be read by clients of its protocol and is never an internal
// failure.
func FuzzRequest(f *testing.F) {
	f.Add("/", "", "GameLift.ListFleets", "application/x-amz-json-1.1", "", "gamelift", `{"Limit":5}`)
	f.Add("/", "X-Amz-Target=GameLift.ListFleets", "", "", "", "gamelift", `{}`)
	f.Add("/service/GameLift/operation/ListFleets", "", "", "application/cbor", "rpc-v2-cbor", "gamelift", "\xa0")
	f.Add("/service/GameLift/operation/CreatePlayerSession", "", "GameLift.X", "application/cbor", "rpc-v2-cbor", "gamelift", "\xbf")
	f.Add("/", "", "", "application/x-www-form-urlencoded; charset=utf-8", "", "sts", "Action=GetCallerIdentity&Version=2011-06-15")
	f.Add("/", "Action=GetCallerIdentity", "", "", "", "sts", "")
	h := newHarness(f)
	h.front.API = NewHandler(Options{Service: api.Client{Invoker: yesman{}}, Verifier: h.front.API.(*Handler).o.Verifier, Now: h.front.API.(*Handler).o.Now})
	f.Fuzz(func(t *testing.T, path, query, target, contentType, protocol, service, body string) {
		for _, v := range []string{target, contentType, protocol, service} {
			if strings.ContainsAny(v, "\r\n\x00") {
				return
			}
		}
		r := httptest.NewRequest("POST", "http://127.0.0.1:9080/", strings.NewReader(body))
		r.URL = &url.URL{Scheme: "http", Host: "127.0.0.1:9080", Path: "/" + strings.TrimPrefix(path, "/"), RawQuery: query}
		for name, value := range map[string]string{"X-Amz-Target": target, "Content-Type": contentType, "Smithy-Protocol": protocol} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		auth.Sign(r, []byte(body), testCredentials, "us-west-2", service, h.now)
		w := h.do(r)
		var err error
		switch answer := w.Body.Bytes(); {
		case w.Code >= 500:
			t.Fatalf("answered %d %s", w.Code, answer)
		case len(answer) == 0:
		case strings.HasPrefix(w.Header().Get("Content-Type"), "application/x-amz-json"):
			var v any
			err = json.Unmarshal(answer, &v)
		case w.Header().Get("Content-Type") == "application/cbor":
			var v any
			err = strictCBOR.Unmarshal(answer, &v)
		case strings.HasSuffix(w.Header().Get("Content-Type"), "/xml"):
			err = xml.Unmarshal(answer, new(struct{}))
		}
		if err != nil {
			t.Fatalf("answered %d %s, which cannot be read: %v", w.Code, w.Body, err)
		}
	})
}

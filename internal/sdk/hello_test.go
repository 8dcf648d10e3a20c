package sdk

import (
	"strings"
	"testing"
)

func TestParseHello(t *testing.T) {
	const rest = "&ComputeId=c&FleetId=fleet-1&Authorization=tok"
	for _, test := range []struct {
		name, query string
		want        Hello
		status      int // of the refusal; 0 for none
	}{
		{"Go", "Authorization=7f3c-1&ComputeId=i-01&FleetId=fleet-6b&IdempotencyToken=06dc&pID=8d6b&sdkLanguage=Go&sdkVersion=5.6.0",
			Hello{Process{"fleet-6b", "i-01", "8d6b"}, "7f3c-1", "06dc", "5.6.0", "Go", false}, 0},
		{"C++ before 5.3", "pID=8d6b&sdkVersion=5.1.1&sdkLanguage=Cpp&Authorization=tok&ComputeId=i-01&FleetId=fleet-6b",
			Hello{Process{"fleet-6b", "i-01", "8d6b"}, "tok", "", "5.1.1", "Cpp", false}, 0},
		{"unescaped token", "pID=p" + strings.Replace(rest, "tok", "a+b%/c==", 1), Hello{Process: Process{"fleet-1", "c", "p"}, Token: "a+b%/c=="}, 0},
		{"escaped", "pID=p&ComputeId=task%2Fone&FleetId=containerfleet-1&Authorization=a%2Bb", Hello{Process: Process{"containerfleet-1", "task/one", "p"}, Token: "a+b"}, 0},
		{"first of two", "pID=p&pID=q" + rest, Hello{Process: Process{"fleet-1", "c", "p"}, Token: "tok"}, 0},
		{"empty", "", Hello{}, 400},
		{"no pID", rest, Hello{}, 400},
		{"no fleet", "pID=p&ComputeId=c&Authorization=tok", Hello{}, 400},
		{"no compute", "pID=p&FleetId=c&Authorization=tok", Hello{}, 400},
		{"no token, as C++ after time-outs in SigV4 mode", "pID=p&ComputeId=c&FleetId=f", Hello{}, 403},
		{"SigV4", "pID=p&ComputeId=c&FleetId=f&Authorization=SigV4&X-Amz-Signature=00", Hello{}, 403},
		{"long", "pID=" + strings.Repeat("p", 257) + rest, Hello{}, 400},
		{"control character", "pID=a%0ab" + rest, Hello{}, 400},
		{"not UTF-8", "pID=a%ffb" + rest, Hello{}, 400},
		{"long token", "pID=p&ComputeId=c&FleetId=f&Authorization=" + strings.Repeat("t", 4097), Hello{}, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, refusal := ParseHello(test.query)
			if test.status != 0 {
				if refusal == nil || refusal.Status != test.status {
					t.Errorf("got %v, want status %d", refusal, test.status)
				}
				return
			}
			if refusal != nil || got != test.want {
				t.Errorf("got %+v, %v", got, refusal)
			}
		})
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add("Authorization=t&ComputeId=c&FleetId=f&IdempotencyToken=i&pID=p&sdkLanguage=Go&sdkVersion=5.6.0")
	f.Add("pID=%zz&&=&pID")
	f.Fuzz(func(t *testing.T, query string) {
		h, refusal := ParseHello(query)
		if refusal != nil {
			if refusal.Status < 400 || refusal.Reason == "" {
				t.Fatalf("refused with %+v", refusal)
			}
			if h.Token != "" && len(h.Token) > 8 && strings.Contains(refusal.Reason, h.Token) {
				t.Fatalf("the reason tells the token: %s", refusal.Reason)
			}
			return
		}
		p := h.Process
		if p.ID == "" || p.Fleet == "" || p.Compute == "" || h.Token == "" || max(len(p.ID), len(p.Fleet), len(p.Compute)) > 256 {
			t.Fatalf("let %+v in", h)
		}
	})
}

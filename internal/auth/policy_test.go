package auth

import (
	"strings"
	"testing"
	"time"
)

func TestAllowed(t *testing.T) {
	p, err := ParsePolicy([]byte(`{
		"Version": "2012-10-17",
		"Statement": [
			{"Sid": "Read", "Effect": "Allow", "Action": ["gamelift:Describe*", "gamelift:List?leets"], "Resource": "*"},
			{"Effect": "Allow", "Action": "gamelift:*", "Resource": ["arn:aws:gamelift:*:*:fleet/fleet-mine*"]},
			{"Sid": "NoDelete", "Effect": "Deny", "Action": "gamelift:Delete*", "Resource": "*"},
			{"Effect": "Allow", "NotAction": ["gamelift:*"], "NotResource": ["secret/*"]}
		]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		action, resource string
		allowed          bool
		reason           string
	}{
		{"gamelift:DescribeFleetEvents", "*", true, ""},
		{"GAMELIFT:describefleetevents", "*", true, ""}, // IAM does not mind the case of actions
		{"gamelift:ListFleets", "*", true, ""},
		{"gamelift:ListBuilds", "*", false, "not on this resource"},
		{"gamelift:UpdateFleetAttributes", "arn:aws:gamelift:us-west-2::fleet/fleet-mine-1", true, ""},
		{"gamelift:UpdateFleetAttributes", "arn:aws:gamelift:us-west-2::fleet/FLEET-mine-1", false, "not on this resource"},
		{"gamelift:UpdateFleetAttributes", "arn:aws:gamelift:us-west-2::fleet/fleet-yours", false, "not on this resource"},
		{"gamelift:DeleteFleet", "arn:aws:gamelift:us-west-2::fleet/fleet-mine-1", false, "NoDelete"},
		{"s3:GetObject", "open/1", true, ""},
		{"s3:GetObject", "secret/1", false, "not on this resource"},
	} {
		d := p.Allowed(test.action, test.resource)
		if d.Allowed != test.allowed || !strings.Contains(d.Reason, test.reason) || (d.Reason == "") != test.allowed {
			t.Errorf("%s on %s: %+v", test.action, test.resource, d)
		}
	}
	if d := (Policy{}).Allowed("a:b", "*"); d.Allowed || !strings.Contains(d.Reason, "Add one") {
		t.Errorf("the empty policy: %+v", d)
	}
	if d := Everything().Allowed("a:b", "x"); !d.Allowed {
		t.Errorf("everything: %+v", d)
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	const ok = `{"Effect":"Allow","Action":"a:b","Resource":"*"}`
	if _, err := ParsePolicy([]byte(`{"Statement":` + ok + `}`)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ policy, want string }{
		{`{}`, "no Statement"},
		{`[]`, "reading the policy"},
		{`{"Statement":` + ok + `} x`, "text after the end"},
		{`{"Version":"2030-01-01","Statement":` + ok + `}`, "Version"},
		{`{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{}}}`, "Condition is not supported here"},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":"a:b","Resource":"*"}}`, "Principal has no meaning here"},
		{`{"Statement":{"Effect":"Deny","effect":"Allow","Action":"a:b","Resource":"*"}}`, "effect is given twice"},
		{`{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Verb":"x"}}`, `unknown field "Verb"`},
		{`{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"arn:aws:s3:::${aws:username}"}}`, "policy variable"},
		{`{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}`, "reading the policy"},
		{`{"Statement":{"Effect":"Maybe","Action":"a:b","Resource":"*"}}`, "Effect must be"},
		{`{"Statement":{"Effect":"allow","Action":"a:b","Resource":"*"}}`, "Effect must be"},
		{`{"Statement":{"Effect":"Allow","Resource":"*"}}`, "either Action or NotAction"},
		{`{"Statement":{"Effect":"Allow","Action":"a:b","NotAction":"c:d","Resource":"*"}}`, "either Action or NotAction"},
		{`{"Statement":{"Effect":"Allow","Action":"a:b"}}`, "either Resource or NotResource"},
		{`{"Statement":[` + ok + `,{"Effect":"Allow","Action":"ListFleets","Resource":"*"}]}`, `Statement[1] of the policy: the action "ListFleets"`},
		{`{"Statement":` + strings.Repeat(" ", maxPolicy) + ok + `}`, "at most"},
	} {
		if _, err := ParsePolicy([]byte(test.policy)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.100s: %v, want %s", test.policy, err, test.want)
		}
	}
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true},
		{"a*c", "abbc", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "aXYc", false}, {"?", "", false}, {"?", "a", true},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"**a", "a", true}, {"*ab", "aab", true}, {"abc", "ab", false},
	} {
		if got := glob(test.pattern, test.s); got != test.want {
			t.Errorf("glob(%q, %q) is %v", test.pattern, test.s, got)
		}
	}
	start := time.Now()
	if glob(strings.Repeat("*a", 200)+"b", strings.Repeat("a", 20_000)) {
		t.Error("matched without a b")
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("a hostile pattern took %v", d)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte(`{"Statement":[{"Effect":"Allow","Action":"a:*","Resource":["*"]},{"Effect":"Deny","NotAction":["a:b"],"NotResource":"x"}]}`), "a:b", "x")
	f.Fuzz(func(t *testing.T, doc []byte, action, resource string) {
		p, err := ParsePolicy(doc)
		if err != nil {
			return
		}
		d := p.Allowed(action, resource)
		if d.Allowed != (d.Reason == "") {
			t.Fatalf("%+v", d)
		}
		// A denial of everything must win over any document.
		p.Statements = append(p.Statements, Statement{Effect: Deny, Action: Patterns{"*"}, Resource: Patterns{"*"}})
		if p.Allowed(action, resource).Allowed {
			t.Fatal("denied and allowed")
		}
	})
}

func BenchmarkAllowed(b *testing.B) {
	p := Everything()
	b.ReportAllocs()
	for b.Loop() {
		p.Allowed("gamelift:CreatePlayerSession", "arn:aws:gamelift:us-west-2::gamesession/fleet-1/gsess-1")
	}
}

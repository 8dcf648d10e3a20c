package engine

import "testing"

func TestHostName(t *testing.T) {
	for _, test := range []struct{ address, domain, want string }{
		{"10.213.0.2", "games.example", "ip-10-213-0-2.games.example"},
		{"fd00::7", "games.example", "ip-fd00--7.games.example"},
		{"10.213.0.2", "", ""},
		{"", "games.example", ""}, // its host has not said yet
		{"a.host", "games.example", ""},
	} {
		if got := hostName(test.address, test.domain); got != test.want {
			t.Errorf("%q in %q is called %q, want %q", test.address, test.domain, got, test.want)
		}
	}
}

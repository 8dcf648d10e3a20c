package auth

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestTemporaryCredentials(t *testing.T) {
	v := testVerifier()
	c := v.Temporary.Mint(Grant{
		Account: "000000000000", Principal: "arn:aws:sts::000000000000:assumed-role/upload/build-1",
		Policy: PutObject("uploads", "build-1/build.zip"), Expires: noon.Add(15 * time.Minute),
	})
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(c.AccessKeyID) || len(c.SecretAccessKey) != 40 {
		t.Errorf("%+v", c)
	}
	if strings.Contains(c.SessionToken, c.SecretAccessKey) {
		t.Error("the token tells the secret")
	}
	send := func(c Credentials, at time.Time) (Caller, error) {
		r, _ := http.NewRequest("PUT", "http://h/uploads/build-1/build.zip", nil)
		Sign(r, nil, c, "us-west-2", "s3", at)
		return v.Verify(t.Context(), received(t, r, nil), nil, at)
	}
	caller, err := send(c, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Check("s3:PutObject", "arn:aws:s3:::uploads/build-1/build.zip"); err != nil {
		t.Error(err)
	}
	for _, no := range [][2]string{
		{"s3:PutObject", "arn:aws:s3:::uploads/build-2/build.zip"},
		{"s3:GetObject", "arn:aws:s3:::uploads/build-1/build.zip"},
		{"gamelift:ListFleets", "*"},
	} {
		if err := caller.Check(no[0], no[1]); err == nil || reason(t, err) != Denied {
			t.Errorf("%v: %v", no, err)
		}
	}
	if _, err := send(c, noon.Add(15*time.Minute)); err == nil || reason(t, err) != ExpiredToken {
		t.Errorf("at their end: %v", err)
	}

	other := v.Temporary.Mint(Grant{Account: "000000000000", Policy: Everything(), Expires: noon.Add(time.Hour)})
	changed := func(change func(*Credentials)) Credentials {
		c := c
		change(&c)
		return c
	}
	for name, bad := range map[string]Credentials{
		"another token":    changed(func(c *Credentials) { c.SessionToken = other.SessionToken }),
		"cut token":        changed(func(c *Credentials) { c.SessionToken = c.SessionToken[:40] }),
		"changed token":    changed(func(c *Credentials) { c.SessionToken = c.SessionToken[:60] + "AAAA" + c.SessionToken[64:] }),
		"no base64":        changed(func(c *Credentials) { c.SessionToken = "?" }),
		"endless token":    changed(func(c *Credentials) { c.SessionToken = strings.Repeat("A", maxToken+1) }),
		"another key's id": changed(func(c *Credentials) { c.AccessKeyID = testID }),
		"other master":     NewTemporary([]byte("other")).Mint(Grant{Expires: noon.Add(time.Hour)}),
	} {
		if _, err := send(bad, noon); err == nil || reason(t, err) != InvalidToken {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := send(changed(func(c *Credentials) { c.SecretAccessKey = other.SecretAccessKey }), noon); err == nil || reason(t, err) != Mismatch {
		t.Errorf("another secret: %v", err)
	}
	if _, err := send(changed(func(c *Credentials) { c.SessionToken = "" }), noon); err == nil || reason(t, err) != UnknownKey {
		t.Errorf("no token: %v", err)
	}
	// A name with a wildcard must not become a pattern.
	if d := PutObject("b", "*").Allowed("s3:PutObject", "arn:aws:s3:::b/x"); d.Allowed {
		t.Error("a star in a key opens the bucket")
	}
}

func TestComputeTokens(t *testing.T) {
	tokens := NewComputeTokens([]byte("master"))
	token, expires := tokens.Mint("fleet-1", "compute-1", noon)
	if !regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`).MatchString(token) {
		t.Errorf("token %q", token)
	}
	if !expires.Equal(noon.Add(3 * time.Hour)) {
		t.Errorf("expires %v", expires)
	}
	for _, test := range []struct {
		name, token, fleet, compute string
		after                       time.Duration
		want                        Reason
	}{
		{"good", token, "fleet-1", "compute-1", 0, 0},
		{"just in time", token, "fleet-1", "compute-1", 3*time.Hour - time.Second, 0},
		{"late", token, "fleet-1", "compute-1", 3 * time.Hour, ExpiredToken},
		{"other fleet", token, "fleet-2", "compute-1", 0, InvalidToken},
		{"other compute", token, "fleet-1", "compute-2", 0, InvalidToken},
		{"moved border", token, "fleet-1c", "ompute-1", 0, InvalidToken},
		{"cut", token[:len(token)-1], "fleet-1", "compute-1", 0, InvalidToken},
		{"later end", "ct1.B" + token[5:], "fleet-1", "compute-1", 0, InvalidToken},
		{"empty", "", "fleet-1", "compute-1", 0, InvalidToken},
		{"prefix only", "ct1.", "fleet-1", "compute-1", 0, InvalidToken},
	} {
		err := tokens.Verify(test.token, test.fleet, test.compute, noon.Add(test.after))
		if got := reason(t, err); got != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if err := NewComputeTokens([]byte("other")).Verify(token, "fleet-1", "compute-1", noon); err == nil || reason(t, err) != InvalidToken {
		t.Errorf("another master: %v", err)
	}
}

func FuzzTokens(f *testing.F) {
	token, _ := NewComputeTokens([]byte("m")).Mint("f", "c", noon)
	f.Add(token)
	f.Fuzz(func(t *testing.T, token string) {
		if NewComputeTokens([]byte("other")).Verify(token, "f", "c", noon) == nil {
			t.Fatal("a token of nobody is accepted")
		}
		if _, err := NewTemporary([]byte("other")).Key("ASIA", token, noon); err == nil {
			t.Fatal("credentials of nobody are accepted")
		}
	})
}

func TestRootKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	env := map[string]string{}
	getenv := func(name string) string { return env[name] }
	first, err := RootKey(dir, "123456789012", getenv)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(first.AccessKeyID) || len(first.Secret) != 40 || first.Principal != "arn:aws:iam::123456789012:root" {
		t.Errorf("%+v", first)
	}
	path := filepath.Join(dir, "credentials")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again, err := RootKey(dir, "123456789012", getenv)
	if err != nil || again.AccessKeyID != first.AccessKeyID || again.Secret != first.Secret {
		t.Errorf("the second start has another key: %v, %v", again.AccessKeyID, err)
	}

	env["CHAIRLIFT_ACCESS_KEY_ID"] = "AKIACHOSENBYTHEUSER"
	if _, err := RootKey(dir, "123456789012", getenv); err == nil || !strings.Contains(err.Error(), "set both") {
		t.Errorf("half a key: %v", err)
	}
	env["CHAIRLIFT_SECRET_ACCESS_KEY"] = "chosen-by-the-user"
	chosen, err := RootKey(dir, "123456789012", getenv)
	if err != nil || chosen.AccessKeyID != "AKIACHOSENBYTHEUSER" || chosen.Secret != "chosen-by-the-user" {
		t.Errorf("%v, %v", chosen.AccessKeyID, err)
	}
	if c, err := ReadCredentials(path); err != nil || c.SecretAccessKey != "chosen-by-the-user" {
		t.Errorf("the file does not follow: %v, %v", c.AccessKeyID, err)
	}
	env["CHAIRLIFT_ACCESS_KEY_ID"] = "short"
	if _, err := RootKey(dir, "123456789012", getenv); err == nil {
		t.Error("a key id that clients refuse is taken")
	}

	clear(env)
	if err := os.WriteFile(path, []byte("[other]\naws_access_key_id = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := RootKey(dir, "123456789012", getenv); err == nil || !strings.Contains(err.Error(), "no default profile") {
		t.Errorf("a file without a key: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files are left behind: %v", entries)
	}
}

func TestMasterSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "master.key")
	a, err := MasterSecret(path)
	if err != nil || len(a) != 32 {
		t.Fatal(len(a), err)
	}
	b, err := MasterSecret(path)
	if err != nil || string(a) != string(b) {
		t.Errorf("another secret at the second start: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := MasterSecret(path); err == nil || !strings.Contains(err.Error(), "32 bytes") {
		t.Error(err)
	}
}

func TestCodes(t *testing.T) {
	for r := Unsigned; r <= BadBodyLength; r++ {
		e := &Error{Reason: r}
		if e.Code() == "" || e.S3Code() == "" || e.S3Status() < 400 {
			t.Errorf("reason %d has no name", r)
		}
	}
}

package sqldb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// TestFailOver: a store goes on at the standby when the primary is gone, with
// all that was acknowledged.
func TestFailOver(t *testing.T) {
	primary := pgtest.New(t, "-c", "fsync=off")
	standby := primary.Standby(t)
	if _, err := sqldb.OpenPostgres(standby.URL(), sqldb.Options{Kinds: notes}); !errors.Is(err, store.ErrReadOnly) || !strings.Contains(err.Error(), "name the primary in --store, or every server") {
		t.Errorf("a standby alone: %v", err)
	}
	// The standby comes first, so that only its nature keeps it from being taken.
	both := hosts(t, standby.URL(), primary.URL())
	s := openPostgres(t, both, sqldb.Options{Kinds: notes})
	defer s.Close()
	put(t, s, "before")
	primary.Stop()
	write := func(id string) error {
		return s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("note", store.Row{ID: id}) })
	}
	if err := write("during"); err == nil || !strings.Contains(err.Error(), " or ") {
		t.Errorf("without a primary: %v", err)
	}
	if _, err := sqldb.OpenPostgres(both, sqldb.Options{Kinds: notes}); err == nil || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("opened without a primary: %v", err)
	}
	standby.Promote(t)
	if err := write("after"); err != nil {
		t.Errorf("after the fail-over: %v", err)
	}
	err := s.View(t.Context(), func(tx store.Tx) error {
		for id, want := range map[string]bool{"before": true, "during": false, "after": true} {
			if _, ok, err := tx.Get("note", id); err != nil || ok != want {
				t.Errorf("%s: %v, %v", id, ok, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// hosts is one address for several servers.
func hosts(t *testing.T, addresses ...string) string {
	t.Helper()
	var all []string
	var u *url.URL
	for _, a := range addresses {
		var err error
		if u, err = url.Parse(a); err != nil {
			t.Fatal(err)
		}
		all = append(all, u.Query().Get("host"))
	}
	q := u.Query()
	q.Set("host", strings.Join(all, ","))
	u.RawQuery = q.Encode()
	return u.String()
}

// A server that takes no changes any more is asked once more at its address,
// where another may be by then.
func TestAPrimaryThatTakesNoChanges(t *testing.T) {
	c := pgtest.Shared(t)
	c.Exec(t, "CREATE DATABASE frozen")
	address := c.Database("frozen", nil)
	s := openPostgres(t, address, sqldb.Options{Kinds: notes})
	defer s.Close()
	put(t, s, "before")
	c.Exec(t, "ALTER DATABASE frozen SET default_transaction_read_only = on")
	c.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'frozen'")
	err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Put("note", store.Row{ID: "during"}) })
	if !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("while it takes none: %v", err)
	}
	c.Exec(t, "ALTER DATABASE frozen SET default_transaction_read_only = off")
	put(t, s, "after")
}

// TestTLS: what can be wrong with certificates and passwords is one sentence.
func TestTLS(t *testing.T) {
	port := freePort(t)
	c := pgtest.New(t, "-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "port="+port)
	c.Exec(t, "CREATE ROLE ann LOGIN PASSWORD 'right'")
	c.Exec(t, "CREATE DATABASE anns OWNER ann")
	address := func(host, password string, parameters ...string) string {
		return fmt.Sprintf("postgres://ann:%s@%s/anns?%s", password, net.JoinHostPort(host, port), strings.Join(parameters, "&"))
	}
	fails := func(name, address, says string) {
		t.Helper()
		_, err := sqldb.OpenPostgres(address, sqldb.Options{Kinds: notes})
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "wrong") {
			t.Errorf("%s: %v", name, err)
		}
	}
	fails("TLS that the server does not speak", address("127.0.0.1", "right", "sslmode=require"), "speaks no TLS: switch its ssl on")

	cert, key := certificate(t, "127.0.0.1")
	c.WriteFile(t, "server.crt", cert)
	c.WriteFile(t, "server.key", key)
	c.WriteFile(t, "pg_hba.conf", []byte("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"))
	c.Exec(t, "ALTER SYSTEM SET ssl = on")
	c.Exec(t, "SELECT pg_reload_conf()")
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	good := address("127.0.0.1", "right", "sslmode=verify-full", "sslrootcert="+ca)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // until it has read its settings
		s, err := sqldb.OpenPostgres(good, sqldb.Options{Kinds: notes})
		if err == nil {
			put(t, s, "secret")
			s.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	fails("an authority that nobody knows", address("127.0.0.1", "right", "sslmode=verify-full"), "is not trusted: name the authority's")
	fails("another name", address("localhost", "right", "sslmode=verify-full", "sslrootcert="+ca), "and the server as its certificate does")
	fails("no such file", address("127.0.0.1", "right", "sslmode=verify-full", "sslrootcert="+ca+".old"), "a file that --store names cannot be read: open "+ca+".old")
	fails("no TLS where it must be", address("127.0.0.1", "right", "sslmode=disable"), "pg_hba.conf")
	fails("a wrong password", address("127.0.0.1", "wrong", "sslmode=verify-full", "sslrootcert="+ca), "does not let user ann in: correct the name and password")
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// certificate makes one that a server of this address signs itself.
func certificate(t *testing.T, ip string) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a database"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

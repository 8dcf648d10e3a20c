// Package pgtest gives tests a PostgreSQL of their own: a cluster in a
// temporary folder, on a unix socket there, started when the first test asks for
// it and gone with the process. It must not know what the tests do with it, and
// touches no server that runs on the machine.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
//	s, err := sqldb.OpenPostgres(pgtest.URL(t), sqldb.Options{Kinds: kinds})
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/chairlift-games/chairlift/internal/need"
)

// shared is the cluster of this process, once a test has asked for it.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

var schemas atomic.Int64

// Main runs the tests of a package and ends the cluster that they shared.
func Main(m *testing.M) int {
	defer func() {
		if shared.cluster != nil {
			shared.cluster.Stop()
			_ = os.RemoveAll(shared.cluster.dir)
		}
	}()
	return m.Run()
}

// URL is the address of a fresh schema in the cluster that this process
// shares. A crash of the machine would lose it, in return it is fast.
func URL(tb testing.TB) string {
	tb.Helper()
	return Shared(tb).Schema(tb)
}

// Shared is the cluster that this process shares.
func Shared(tb testing.TB) *Cluster {
	tb.Helper()
	programs(tb)
	shared.once.Do(func() { shared.cluster, shared.err = start("-c", "fsync=off", "-c", "full_page_writes=off") })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.cluster
}

// New starts a cluster for one test alone, as durable as PostgreSQL is
// unless the settings (-c name=value) say otherwise.
func New(tb testing.TB, settings ...string) *Cluster {
	tb.Helper()
	programs(tb)
	c, err := start(settings...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.Stop()
		_ = os.RemoveAll(c.dir)
	})
	return c
}

// programs skips tb if the machine has no PostgreSQL.
func programs(tb testing.TB) {
	tb.Helper()
	if !possible {
		need.Skip(tb, "a PostgreSQL for tests needs a Unix")
	}
	for _, name := range []string{"initdb", "postgres", "pg_basebackup"} {
		if program(name) == "" {
			need.Skip(tb, "PostgreSQL is not installed (no %s in PATH or /usr/lib/postgresql/*/bin); get it with the Debian package postgresql", name)
		}
	}
}

// program finds one of the server's programs, the newest version of it.
func program(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // where Debian has them
	if len(found) > 0 {
		return slices.Max(found)
	}
	path, _ := exec.LookPath(name)
	return path
}

// A Cluster is a PostgreSQL server with its data.
type Cluster struct {
	dir      string
	settings []string
	stop     func()
}

func start(settings ...string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "pg") // a short path, for the socket in it
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, settings: settings}
	if err := give(dir); err != nil {
		return nil, err
	}
	if err := c.run("initdb", "--pgdata", c.data(), "--username", owner, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := c.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return c, nil
}

// run runs one of the server's programs.
func (c *Cluster) run(name string, args ...string) error {
	cmd := exec.Command(program(name), args...)
	cmd.Dir = c.dir
	asOrdinaryUser(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Standby starts a copy of the cluster that follows it, and waits for each of
// its commits from then on.
func (c *Cluster) Standby(tb testing.TB) *Cluster {
	tb.Helper()
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Cluster{dir: dir, settings: c.settings}
	tb.Cleanup(func() {
		if s.stop != nil {
			s.Stop()
		}
		_ = os.RemoveAll(dir)
	})
	if err := give(dir); err != nil {
		tb.Fatal(err)
	}
	if err := s.run("pg_basebackup", "--pgdata", s.data(), "--dbname", c.URL(), "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"); err != nil {
		tb.Fatal(err)
	}
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	c.Exec(tb, "ALTER SYSTEM SET synchronous_standby_names = '*'")
	c.Exec(tb, "SELECT pg_reload_conf()")
	return s
}

// Promote makes a standby a primary that waits for nobody.
func (c *Cluster) Promote(tb testing.TB) {
	tb.Helper()
	c.Exec(tb, "SELECT pg_promote()")
	c.Exec(tb, "ALTER SYSTEM SET synchronous_standby_names = ''")
	c.Exec(tb, "SELECT pg_reload_conf()")
}

// WriteFile puts a file that the server may read into its data folder.
func (c *Cluster) WriteFile(tb testing.TB, name string, content []byte) {
	tb.Helper()
	path := filepath.Join(c.data(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := give(path); err != nil {
		tb.Fatal(err)
	}
}

// owner is the cluster's superuser.
const owner = "chairlift"

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// Start starts the server, after Stop again on the same data.
func (c *Cluster) Start() error {
	// The shell ends the server when its own input ends: with Stop, or with
	// this process however that ends.
	args := append([]string{"-c", `"$@" & cat >/dev/null; kill -QUIT $!; wait $!`, "sh", program("postgres"), "-D", c.data(), "-k", c.dir,
		"-c", "listen_addresses=", "-c", "max_connections=200"}, c.settings...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = c.dir
	asOrdinaryUser(cmd)
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.stop = sync.OnceFunc(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		db, err := pgx.Connect(ctx, c.URL())
		cancel()
		if err == nil {
			return db.Close(context.Background())
		}
		if time.Now().After(deadline) {
			c.stop()
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("PostgreSQL did not start: %w\n%s", err, text)
		}
	}
}

// Stop ends the server as a power cut would: without a word to anybody.
func (c *Cluster) Stop() { c.stop() }

// URL is the address of the database that every cluster has.
func (c *Cluster) URL() string { return c.Database("postgres", nil) }

// Database is the address of a database, with parameters.
func (c *Cluster) Database(name string, parameters url.Values) string {
	q := url.Values{"host": {c.dir}}
	for _, s := range c.settings {
		if port, ok := strings.CutPrefix(s, "port="); ok {
			q.Set("port", port)
		}
	}
	for k, v := range parameters {
		q[k] = v
	}
	return (&url.URL{Scheme: "postgres", User: url.User(owner), Path: "/" + name, RawQuery: q.Encode()}).String()
}

// Schema is the address of a fresh schema.
func (c *Cluster) Schema(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("s%d", schemas.Add(1))
	c.Exec(tb, "CREATE SCHEMA "+name)
	return c.Database("postgres", url.Values{"search_path": {name}})
}

// Exec runs statements as the cluster's owner.
func (c *Cluster) Exec(tb testing.TB, text string) {
	tb.Helper()
	Exec(tb, c.URL(), text)
}

// Exec runs statements at an address.
func Exec(tb testing.TB, address, text string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close(ctx) }()
	if _, err := db.Exec(ctx, text); err != nil {
		tb.Fatal(err)
	}
}

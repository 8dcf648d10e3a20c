package sqldb

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/chairlift-games/chairlift/internal/store"
)

// oldestPostgres is the oldest version that works, as the server counts. A
// variable for tests.
var oldestPostgres int64 = 15_00_00

const (
	connectLimit = 5 * time.Second // for one attempt, unless the address says otherwise
	// answerLimit is how long an answer may take: a row can be locked for a
	// while, but not for longer than this, see session.
	answerLimit = 60 * time.Second
)

// session is how each connection is set up. Every statement here is a walk
// along an index, which the planner, that does not know what it will be given,
// must not doubt. A server that falls silent inside a transaction loses it, and
// with it what it has locked. A database that is set to lose commits is told
// not to.
const session = `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off;
SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET client_min_messages = error;
SET idle_in_transaction_session_timeout = '10s'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

// OpenPostgres opens the database at the address, postgres://user:password@host:5432/database
// or what libpq takes, and makes its tables. Several servers may have it open
// at a time.
func OpenPostgres(address string, o Options) (*Store, error) {
	config, err := pgx.ParseConfig(address)
	if unread, is := errors.AsType[*fs.PathError](err); is {
		return nil, fmt.Errorf("store: a file that --store names cannot be read: %w", unread)
	}
	if err != nil {
		return nil, fmt.Errorf("store: this is no address of a PostgreSQL database, which looks like postgres://user:password@host:5432/database: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectLimit
	}
	if config.ValidateConnect == nil {
		// Of the hosts it names the primary is meant, and a standby that is
		// reached by a name which leads elsewhere soon is asked no more.
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "chairlift"
	}
	unlock := func() error { return nil }
	if o.LockFile != "" {
		if unlock, err = lock(o.LockFile); err != nil {
			return nil, explainFile(o.LockFile, err)
		}
	}
	s, err := open(postgresDialect(config), o, unlock)
	if err != nil {
		return nil, err
	}
	if err := s.listen(config); err != nil {
		return nil, errors.Join(placeOf(config).explain(err), s.Close())
	}
	return s, nil
}

func postgresDialect(config *pgx.ConnConfig) *dialect {
	bounded := config.Copy()
	bounded.DialFunc = dialBounded
	connector := stdlib.GetConnector(*bounded, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, session)
		return err
	}))
	p := placeOf(config)
	return &dialect{
		connect: func(bool) (driver.Conn, error) { return connector.Connect(context.Background()) },
		ready:   p.ready,
		backup: func(*conn, string) error {
			return errors.New("store: a PostgreSQL database is copied with pg_dump, or with the means of its server")
		},
		explain: p.explain,
		lock:    "SELECT pg_advisory_lock(7165927301)",
		unlock:  "SELECT pg_advisory_unlock(7165927301)",
		own:     []string{writerTable},
		claim:   " FOR UPDATE SKIP LOCKED",
		shared:  true,
		lost:    func(c driver.Conn) bool { return c.(*stdlib.Conn).Conn().IsClosed() },

		param:     func(n int) string { return "$" + strconv.Itoa(n) },
		begin:     "BEGIN",
		beginView: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
		text:      `TEXT COLLATE "C"`,
		blob:      "BYTEA",
	}
}

// dialBounded makes connections on which nobody waits for ever for a server
// that is gone without a word.
func dialBounded(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}}
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return boundedConn{c}, nil
}

type boundedConn struct{ net.Conn }

func (c boundedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// A place is what messages call the database.
type place struct {
	hosts    []string // each with its port
	database string
	user     string
}

func placeOf(config *pgx.ConnConfig) place {
	p := place{database: config.Database, user: config.User}
	add := func(host string, port uint16) {
		if h := net.JoinHostPort(host, strconv.Itoa(int(port))); !slices.Contains(p.hosts, h) {
			p.hosts = append(p.hosts, h)
		}
	}
	add(config.Host, config.Port)
	for _, f := range config.Fallbacks {
		add(f.Host, f.Port)
	}
	return p
}

func (p place) server() string { return "PostgreSQL at " + strings.Join(p.hosts, " or ") }

// ready reports a server, a database or rights that will not do.
func (p place) ready(c *conn) error {
	version, err := c.int64("SELECT current_setting('server_version_num')::bigint")
	if err != nil {
		return err
	}
	if version < oldestPostgres {
		return fmt.Errorf("store: %s is version %d; Chairlift needs %d or newer: upgrade it, or name another in --store", p.server(), version/10000, oldestPostgres/10000)
	}
	encoding, err := c.text("SELECT current_setting('server_encoding')")
	if err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("store: the database %s keeps text as %s and Chairlift needs UTF8: make one with CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0", p.database, encoding)
	}
	standby, err := c.int64("SELECT pg_is_in_recovery()::int::bigint")
	if err != nil {
		return err
	}
	if standby != 0 {
		return fmt.Errorf("store: %w: %s is a standby: name the primary in --store", store.ErrReadOnly, p.server())
	}
	schema, err := c.text("SELECT current_schema()::text")
	if err != nil {
		return err
	}
	if schema == "" {
		return fmt.Errorf("store: none of the schemas in the search_path of user %s exists in the database %s: make one with CREATE SCHEMA", p.user, p.database)
	}
	others, err := c.int64("SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND to_regclass(quote_ident(current_schema()) || '.chairlift_schema') IS NULL")
	if err == nil && others > 0 {
		err = fmt.Errorf("store: the database %s holds %d tables of some other program: make one for Chairlift with CREATE DATABASE, and name it in --store", p.database, others)
	}
	return err
}

// unreached explains why there is no connection, although no server said so.
func (p place) unreached(err error) error {
	_, distrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return fmt.Errorf("store: %w: %s takes no changes, as a standby does: name the primary in --store, or every server that may become it: %w", store.ErrReadOnly, p.server(), err)
	case distrusted:
		return fmt.Errorf("store: the certificate of %s is not trusted: name the authority's in --store with sslrootcert=FILE, and the server as its certificate does: %w", p.server(), err)
	case strings.Contains(err.Error(), "server refused TLS"):
		return fmt.Errorf("store: %s speaks no TLS: switch its ssl on, or ask for none in --store with sslmode=disable: %w", p.server(), err)
	}
	return fmt.Errorf("store: %s cannot be reached: start it, or correct --store: %w", p.server(), err)
}

// explain wraps the store's error for what PostgreSQL says in what to do about it.
func (p place) explain(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		if _, failed := errors.AsType[*pgconn.ConnectError](err); failed {
			return p.unreached(err)
		}
		if pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("store: %s: %w: %w", p.server(), errLost, err)
		}
		return fmt.Errorf("store: %s: %w", p.server(), err)
	}
	switch e.Code {
	case "23505":
		return fmt.Errorf("%w: %w", errDuplicate, err)
	case "40001", "40P01", "55P03":
		return fmt.Errorf("%w: %w", errRace, err)
	case "28P01", "28000":
		return fmt.Errorf("store: %s does not let user %s in: correct the name and password in --store, or the server's pg_hba.conf: %w", p.server(), p.user, err)
	case "3D000":
		return fmt.Errorf("store: there is no database %s at %s: make it with CREATE DATABASE %[1]s OWNER %[3]s, or name another in --store: %[4]w", p.database, p.server(), p.user, err)
	case "42501":
		return fmt.Errorf("store: user %s may not do in database %s what Chairlift does: let it own the database with ALTER DATABASE %[2]s OWNER TO %[1]s: %[3]w", p.user, p.database, err)
	case "25006":
		return fmt.Errorf("store: %w: %s takes no changes: name the primary in --store: %w", store.ErrReadOnly, p.server(), err)
	case "53100":
		return fmt.Errorf("store: %w: make room where %s keeps its data: %w", store.ErrFull, p.server(), err)
	case "53300":
		return fmt.Errorf("store: %s takes no more connections: raise its max_connections, each Chairlift needs up to 8: %w", p.server(), err)
	case "57P01", "57P02", "57P03", "25P03":
		return fmt.Errorf("store: %s starts or stops, it is asked again: %w: %w", p.server(), errLost, err)
	case "XX001", "XX002":
		return fmt.Errorf("store: %w: restore %s from a backup: %w", store.ErrCorrupt, p.server(), err)
	}
	return fmt.Errorf("store: %s: %w", p.server(), err)
}

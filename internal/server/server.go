// Package server assembles a running service: store, engine, operations, doors
// and hosts, each a line in one list of things that run. The program, the demo
// and tests start the same thing.
//
//	s, err := server.Open(ctx, server.Options{Addr: "127.0.0.1:9080", Data: "chairlift-data"})
//	fmt.Println("ready", s.URL())
//	err = s.Run(ctx)
package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
	"github.com/chairlift-games/chairlift/internal/blob/bucket"
	"github.com/chairlift-games/chairlift/internal/cli"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/engine/matcher"
	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/link"
	"github.com/chairlift-games/chairlift/internal/metrics"
	"github.com/chairlift-games/chairlift/internal/notify"
	"github.com/chairlift-games/chairlift/internal/ops"
	"github.com/chairlift-games/chairlift/internal/s3door"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/wire"
)

// Options say how to serve. Only Data is required.
type Options struct {
	Addr    string // default 127.0.0.1:9080
	Data    string // folder, made if missing
	Store   string // sqlite:PATH or postgres://…; default SQLite in Data
	Files   string // folder of builds and logs, which servers of one database share; default Data
	Region  string // of fleets made by callers who name none; default us-west-2
	Account string // 12 digits; default 000000000000
	Profile string // standard, hosted or 2019; default standard
	// DNSSuffix is the domain of instances' host names, such as that of
	// ip-10-0-0-7.games.example; none by default. Whoever serves the domain
	// must resolve them.
	DNSSuffix string

	// Host starts the agents of instances; see LocalHost. Nil: none, so fleets
	// wait for instances that never come.
	Host func(Place) (host.Host, error)
	// Buckets lie elsewhere, and builds and scripts may come from them.
	Buckets bucket.Buckets
	// Sinks are where events go.
	Sinks notify.Sinks
	// Out is for sinks that write to standard output; default os.Stdout.
	Out io.Writer
	// StopInstances ends all instances when Run ends.
	StopInstances bool

	Log    *slog.Logger
	Getenv func(string) string // default os.Getenv

	// NoReplay is the engine's, for a test that must fail with it.
	NoReplay bool

	now func() time.Time // the engine's clock, for tests
}

// Place is what a host needs to know of the service that uses it.
type Place struct {
	Data string // the service's folder
	Log  *slog.Logger
}

const (
	defaultAddr   = "127.0.0.1:9080"
	shutdownLimit = 10 * time.Second
	endLimit      = 30 * time.Second
	readHeader    = 20 * time.Second
	uploadsOld    = 48 * time.Hour // uploads in parts that nobody ended
)

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	domainForm  = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// Server is a service that is open. Run serves.
type Server struct {
	o      Options
	store  store.Store
	files  *blob.Dir
	logs   *logs
	engine *engine.Engine
	hub    *link.Hub
	host   *hostOpening // nil: this server has none
	hosts  *hosts
	front  *wire.Front
	listen net.Listener
	agents net.Listener // the unix socket of agents on this machine
	ops    *ops.Service
	notify *notify.Notifier
}

// Open makes everything ready to serve and listens, so that the address is
// known. It starts nothing. An error says what to change.
func Open(ctx context.Context, o Options) (*Server, error) {
	o.Addr = cmp.Or(o.Addr, defaultAddr)
	o.Region = cmp.Or(o.Region, "us-west-2")
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Profile = cmp.Or(o.Profile, "standard")
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	s := &Server{o: o}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) (err error) {
	o := &s.o
	switch {
	case !accountForm.MatchString(o.Account):
		return fmt.Errorf("the account %q is not 12 digits; change --account", o.Account)
	case o.DNSSuffix != "" && !domainForm.MatchString(o.DNSSuffix):
		return fmt.Errorf("%q is not a domain such as games.example; change --dns-suffix", o.DNSSuffix)
	}
	rules, err := ops.RulesOf(o.Profile)
	if err != nil {
		return fmt.Errorf("%w; change --profile", err)
	}
	if o.Data, err = filepath.Abs(o.Data); err != nil {
		return err
	}
	o.Files = cmp.Or(o.Files, o.Data)
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder cannot be made: %w; name another with --data", err)
	}
	if o.Host != nil {
		// Finding out what the machine allows takes as long as all the rest, and
		// needs none of it.
		s.host = beginHost(*o)
	}
	if s.store, err = openStore(*o); err != nil {
		return err
	}
	root, master, err := openKeys(ctx, s.store, *o)
	if err != nil {
		return err
	}
	if s.files, err = blob.Open(filepath.Join(o.Files, "blobs")); err != nil {
		return err
	}
	files, err := o.Buckets.Over(s.files)
	if err != nil {
		return err
	}
	m := metrics.New(metrics.Options{Store: s.store})
	sinks, err := o.Sinks.Ready()
	if err != nil {
		return err
	}
	owner, hostName := s.names()
	if s.notify, err = notify.New(notify.Options{
		Store: s.store, Owner: owner, Sinks: sinks, Out: o.Out, Log: o.Log,
		Observe: func(sink string, r notify.Result) { m.Event(sink, string(r)) },
	}); err != nil {
		return err
	}
	var listeners func(topic string) []string // nil: an event costs nothing at all
	if len(sinks) > 0 {
		listeners = sinks.For
	}
	out := &dispatcher{sinks: s.notify, hostName: hostName}
	s.engine = engine.New(engine.Options{
		Owner: owner, Host: hostName,
		Store: s.store, Sender: out, Log: o.Log, NoReplay: o.NoReplay, Now: o.now,
		Heard: func(id lift.InstanceID) (time.Time, bool) { return s.hub.Heard(id) },
		Sinks: listeners, Count: func(c engine.Count) { count(m, c) },
		Codes: codesOf(o.Profile), DNSSuffix: o.DNSSuffix,
	})
	s.logs = &logs{dir: filepath.Join(o.Files, "logs")}
	s.hub = link.NewHub(link.HubOptions{Service: &agents{engine: s.engine, builds: s.files, logs: s.logs}, Log: o.Log})
	out.hub = s.hub

	temporary := auth.NewTemporary(master)
	keys := auth.NewKeyring(s.store, master)
	s.ops, err = ops.New(ctx, ops.Options{
		Engine: s.engine, Files: files, Credentials: temporary, Keys: keys, Logs: s.logs, Region: o.Region, Account: o.Account, Log: o.Log,
		LogURL: s.logURL(temporary), Listens: sinks.Listens, Rules: rules,
	})
	if err != nil {
		return err
	}
	verifier := &auth.Verifier{Keys: auth.Sources{auth.Keys{root.AccessKeyID: root}, keys}, Temporary: temporary}
	door := wire.Options{Service: s.ops, Verifier: verifier, Log: o.Log, Observe: func(c wire.Call) { m.Request(c.Service, c.Operation, c.Code, c.Duration) }}
	if o.Profile == "hosted" {
		door.Admit = hostedThrottle()
	}
	s.front = &wire.Front{
		API:   wire.NewHandler(door),
		S3:    s3door.New(s3door.Options{Verifier: verifier, Files: withLogs{files, s.logs}, Uploads: s.ops, Log: o.Log}),
		Agent: s.hub,
		Web:   web(m),
	}
	if s.listen, err = net.Listen("tcp", o.Addr); err != nil {
		return fmt.Errorf("cannot listen: %w; give another address with --addr, or end what uses this one", err)
	}
	if err := s.openHost(out); err != nil {
		return err
	}
	return s.leaveNotice()
}

// openHost makes the host and the socket its agents find the service at.
func (s *Server) openHost(out *dispatcher) error {
	if s.host == nil {
		return nil
	}
	h, err := s.host.wait()
	if err != nil {
		return err
	}
	// A folder of its own: instances with their own mounts are shown it whole,
	// so that they see the socket that the next start makes.
	dir := filepath.Join(s.o.Data, "link")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path, err := host.SocketPath(dir, "agent.sock")
	if err != nil {
		return err
	}
	// The store's lock says that no other server lives here, so a socket that
	// is there is a dead one's.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.agents, err = net.Listen("unix", path); err != nil {
		return fmt.Errorf("cannot listen for agents: %w", err)
	}
	s.hosts = newHosts(h, s.engine, func(e lift.StartInstance) host.Spec {
		return host.Spec{ID: e.InstanceID, Server: "unix:" + path, Token: e.Token}
	}, s.o.Log)
	out.hosts = s.hosts
	return nil
}

// URL is where clients reach the service.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.listen.Addr().String())
	if err != nil {
		return "http://" + s.listen.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Addr is the address it listens on.
func (s *Server) Addr() string { return s.listen.Addr().String() }

// Run serves until ctx ends, then stops in the reverse order of need. Agents
// and games go on, unless Options.StopInstances says otherwise.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	asked := ctx // to stop
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.engine.Run(ctx) })
	g.Go(func() error { return matcher.New(s.engine, s.o.Log).Run(ctx) })
	g.Go(func() error { return s.ops.Run(ctx) })
	g.Go(func() error { return s.notify.Run(ctx) })
	g.Go(func() error { return s.serve(ctx, s.listen, s.front) })
	g.Go(func() error { s.sweep(ctx); return nil })
	if s.hosts != nil {
		g.Go(func() error { return s.hosts.run(ctx) })
		g.Go(func() error { return s.serve(ctx, s.agents, s.hub) })
	}
	err := g.Wait()
	if asked.Err() != nil {
		err = nil
	}
	if s.o.StopInstances {
		err = errors.Join(err, s.endInstances())
	}
	return err
}

// serve answers on l until ctx ends and what is being answered is done.
func (s *Server) serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: readHeader, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	_ = s.hub.Close(end) // connections of agents never become idle by themselves
	_ = srv.Shutdown(end)
	return nil
}

// sweep removes what unfinished uploads left, and old logs.
func (s *Server) sweep(ctx context.Context) {
	for {
		if err := s.files.Sweep(ctx, time.Now().Add(-uploadsOld)); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("old uploads not removed", "err", err)
		}
		if err := s.logs.forget(time.Now().Add(-keepLogs)); err != nil {
			s.o.Log.Warn("old logs not removed", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Hour):
		}
	}
}

// leaveNotice tells commands on this machine where the service is.
func (s *Server) leaveNotice() error {
	b, err := json.Marshal(cli.Notice{URL: s.URL(), Region: s.o.Region, Account: s.o.Account})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.o.Data, cli.NoticeFile), b, 0o600)
}

// Close lets go of everything. Run does it at its end.
func (s *Server) Close() {
	if s.listen != nil {
		s.listen.Close()
	}
	if s.agents != nil {
		s.agents.Close()
	}
	if s.host != nil {
		s.host.close()
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.o.Log.Error("store not closed", "err", err)
		}
	}
	if s.files != nil {
		s.files.Close()
	}
	if s.notify != nil {
		s.notify.Close()
	}
}

// endInstances ends every instance of this host and all it launched.
func (s *Server) endInstances() error {
	if s.hosts == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	all, err := s.hosts.host.List(ctx)
	for _, i := range all {
		err = errors.Join(err, s.hosts.host.Stop(ctx, i.ID))
	}
	if err != nil {
		return fmt.Errorf("some instances were not ended: %w", err)
	}
	return nil
}

// logURL makes links to stored logs: presigned reads of the S3 door.
func (s *Server) logURL(t *auth.Temporary) func(auth.Caller, string) string {
	return func(c auth.Caller, log string) string {
		now := s.engine.Now()
		creds := t.Mint(auth.Grant{Account: c.Account, Principal: c.Principal, Policy: auth.GetObject(logBucket, log), Expires: now.Add(ops.LogLinkLifetime)})
		target, err := url.Parse(s.URL())
		if err != nil {
			return ""
		}
		return auth.Presign(http.MethodGet, target.JoinPath(logBucket, log), creds, cmp.Or(c.Region, s.o.Region), "s3", ops.LogLinkLifetime, now).String()
	}
}

// count puts what the engine counted into the words of the metrics.
func count(m *metrics.Metrics, c engine.Count) {
	switch {
	case c.Queue != "":
		m.Count(c.Metric, c.N, "queue_name", c.Queue, c.Region)
	case c.Metric == engine.MatchmakerPass:
		m.Pass(c.Took, c.Configuration, c.Region)
	case c.Rule != "":
		m.Rule(c.Metric, c.N, c.Configuration, c.Rule, c.Region)
	case c.Each != nil:
		m.Waits(c.Metric, c.Each, "matchmaking_configuration_name", c.Configuration, c.Region)
	case strings.HasPrefix(c.Metric, "TimeTo"):
		m.Wait(c.Metric, c.Took, "matchmaking_configuration_name", c.Configuration, c.Region)
	default:
		m.Count(c.Metric, c.N, "matchmaking_configuration_name", c.Configuration, c.Region)
	}
}

// web answers load balancers: it serves when it answers. People who come
// with a browser are told where to look.
func web(m *metrics.Metrics) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	mux.Handle("GET /metrics", m)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Chairlift serves the GameLift API here. The console is not built yet; chairlift why and chairlift logs tell what is going on.", http.StatusNotImplemented)
	})
	return mux
}

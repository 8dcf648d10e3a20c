package sdk_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/chairlift-games/chairlift/internal/sdk"
	"github.com/chairlift-games/chairlift/internal/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var process = sdk.Process{Fleet: "fleet-1", Compute: "compute-1", ID: "process-1"}

// client is the least that an SDK has: one socket and its frames.
type client struct {
	t  *testing.T
	ws *websocket.Conn
}

// dial connects to url, which includes the query.
func dial(t *testing.T, http *http.Client, url string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // all that C# gives
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: http})
	if err != nil {
		t.Fatalf("%v (%v)", err, resp)
	}
	ws.SetReadLimit(1 << 21)
	t.Cleanup(func() { ws.CloseNow() })
	return &client{t, ws}
}

func query(idempotencyToken string) string {
	return "pID=" + process.ID + "&sdkVersion=5.6.0&sdkLanguage=Go&ComputeId=" + process.Compute + "&FleetId=" + process.Fleet +
		"&IdempotencyToken=" + idempotencyToken + "&Authorization=" + sdktest.Token
}

func (c *client) write(frame string) {
	c.t.Helper()
	if err := c.ws.Write(c.t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next frame's members.
func (c *client) read() map[string]any {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	kind, raw, err := c.ws.Read(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	if kind != websocket.MessageText {
		c.t.Fatalf("a frame of type %v", kind)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		c.t.Fatal(err)
	}
	return m
}

// call sends a request and returns the next frame, which has to be its answer.
func (c *client) call(id, action, members string) map[string]any {
	c.t.Helper()
	c.write(fmt.Sprintf(`{"Action":%q,"RequestId":%q%s}`, action, id, members))
	m := c.read()
	if m["RequestId"] != id || m["Action"] != action {
		c.t.Fatalf("the answer to %s %s is %v", action, id, m)
	}
	return m
}

// Each client builds its URL in its own way.
func TestConnectForms(t *testing.T) {
	host := sdktest.Start(t)
	for _, form := range []string{"/?", "?", "/server-sdk/?", "/server-sdk?", "//?", "/a/b/c?"} {
		c := dial(t, nil, host.URL()+form+query(form[:1]))
		if m := c.call("r", "HeartbeatServerProcess", `,"HealthStatus":true`); m["StatusCode"] != 200.0 {
			t.Errorf("%s: %v", form, m)
		}
	}
}

// C++ speaks TLS 1.2 to a ws:// address; all of them need HTTP/1.1.
func TestTLSOnThePlainPort(t *testing.T) {
	host := sdktest.Start(t)
	insecure := func(c *tls.Config) *http.Client {
		c.InsecureSkipVerify = true
		transport := &http.Transport{TLSClientConfig: c}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	url := strings.Replace(host.URL(), "ws:", "wss:", 1) + "/?" + query("i")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := dial(t, insecure(&tls.Config{MinVersion: version, MaxVersion: version}), url)
		c.call("r", "HeartbeatServerProcess", `,"HealthStatus":true`)
	}
	dial(t, nil, host.URL()+"/?"+query("i")).call("r", "HeartbeatServerProcess", "")

	addr := strings.TrimPrefix(host.URL(), "ws://")
	both, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if p := both.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
		t.Errorf("negotiated %q", p)
	}
	if old, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		old.Close()
		t.Error("TLS 1.1 was spoken")
	}
}

func TestSilentClientHoldsUpNobody(t *testing.T) {
	host := sdktest.Start(t)
	for range 3 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(host.URL(), "ws://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	dial(t, nil, host.URL()+"/?"+query("i"))
}

// C# asks for a sign of life before everything it sends.
func TestPing(t *testing.T) {
	host := sdktest.Start(t)
	c := dial(t, nil, host.URL()+"?"+query("i"))
	frames := make(chan map[string]any)
	go func() {
		for range 3 {
			frames <- c.read()
		}
	}()
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if err := c.ws.Ping(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		c.write(fmt.Sprintf(`{"Action":"HeartbeatServerProcess","RequestId":"%d","HealthStatus":true}`, i))
		if m := <-frames; m["StatusCode"] != 200.0 {
			t.Error(m)
		}
	}
}

func TestRefusals(t *testing.T) {
	host := sdktest.Start(t)
	ended := process
	ended.ID = "ended"
	host.Door.Forget(ended)
	for _, test := range []struct {
		name, query string
		status      int
		reason      string
	}{
		{"token", strings.Replace(query("i"), sdktest.Token, "other", 1), 403, "unknown token"},
		{"no token", strings.Replace(query("i"), "Authorization", "Auth", 1), 403, "GAMELIFT_SDK_AUTH_TOKEN"},
		{"SigV4", strings.Replace(query("i"), sdktest.Token, "SigV4", 1), 403, "GAMELIFT_SDK_AUTH_TOKEN"},
		{"no pID", strings.Replace(query("i"), "pID", "x", 1), 400, "pID"},
		{"ended", strings.Replace(query("i"), process.ID, ended.ID, 1), 403, "has ended"},
	} {
		_, resp, err := websocket.Dial(t.Context(), host.URL()+"/?"+test.query, nil)
		if err == nil || resp == nil {
			t.Errorf("%s: let in, or no answer: %v", test.name, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != test.status || !strings.Contains(string(body), test.reason) {
			t.Errorf("%s: %d %s", test.name, resp.StatusCode, body)
		}
	}
	resp, err := http.Get(strings.Replace(host.URL(), "ws", "http", 1))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("a browser is told %d", resp.StatusCode)
	}
	if n := len(host.Hellos()); n != 0 {
		t.Errorf("%d refused connects were let in", n)
	}
}

func TestBinaryFramesAndNonsenseAreIgnored(t *testing.T) {
	host := sdktest.Start(t)
	c := dial(t, nil, host.URL()+"/?"+query("i"))
	if err := c.ws.Write(t.Context(), websocket.MessageBinary, []byte(`{"Action":"HeartbeatServerProcess","RequestId":"b"}`)); err != nil {
		t.Fatal(err)
	}
	for _, frame := range []string{"", "{", "[]", "null", `"text"`, `{"Action":"HeartbeatServerProcess"}`} {
		c.write(frame)
	}
	if m := c.call("r", "Dance", ""); m["StatusCode"] != 400.0 || m["ErrorMessage"] != `unknown Action "Dance"` {
		t.Error(m)
	}
	c.call("s", "HeartbeatServerProcess", "")
	if n := host.Count(process, "HeartbeatServerProcess"); n != 1 {
		t.Errorf("%d heartbeats counted", n)
	}
}

func TestTooLargeRequestEndsTheSocketOnly(t *testing.T) {
	host := sdktest.Start(t)
	c := dial(t, nil, host.URL()+"/?"+query("i"))
	c.write(`{"Action":"` + strings.Repeat("x", 1<<20) + `"}`)
	_, _, err := c.ws.Read(t.Context())
	if code := websocket.CloseStatus(err); code != websocket.StatusMessageTooBig {
		t.Errorf("closed with %v", err)
	}
	dial(t, nil, host.URL()+"/?"+query("i")).call("r", "HeartbeatServerProcess", "")
}

// A session with all the data it can have is delivered.
func TestLargePushArrives(t *testing.T) {
	host := sdktest.Start(t)
	c := dial(t, nil, host.URL()+"/?"+query("i"))
	c.call("r", "HeartbeatServerProcess", "")
	host.Create(process, sdk.CreateGameSession{GameSessionID: "gs", MatchmakerData: strings.Repeat("m", 390_000), GameSessionData: strings.Repeat("d", 262_144)})
	m := c.read()
	if _, ok := m["RequestId"]; ok || m["Action"] != "CreateGameSession" || len(m["MatchmakerData"].(string)) != 390_000 {
		t.Errorf("got %.200v", m)
	}
}

// What Go does after a reconnect: nothing for 5 s, then all heartbeats at once.
func TestBurstAfterReconnect(t *testing.T) {
	host := sdktest.Start(t)
	c := dial(t, nil, host.URL()+"/?"+query("i"))
	c.call("r", "ActivateServerProcess", `,"Port":7777`)
	c.ws.CloseNow()
	c = dial(t, nil, host.URL()+"/?"+query("i"))
	const burst = 100
	for i := range burst {
		c.write(fmt.Sprintf(`{"Action":"HeartbeatServerProcess","RequestId":"h%d","HealthStatus":true}`, i))
	}
	answered := make(map[any]bool)
	for len(answered) < burst {
		if m := c.read(); m["Action"] == "HeartbeatServerProcess" && m["StatusCode"] == 200.0 {
			answered[m["RequestId"]] = true
		}
	}
	if n := host.Count(process, "HeartbeatServerProcess"); n != burst {
		t.Errorf("%d heartbeats counted", n)
	}
	if h := host.Hellos(); len(h) != 2 || h[0].Again || !h[1].Again {
		t.Errorf("hellos: %+v", h)
	}
}

// Two sockets overlap, as in a refresh: the new one first, the old one lives on
// for a while. C# does it with a new idempotency token at every reconnect.
func TestRefreshOverlaps(t *testing.T) {
	host := sdktest.Start(t)
	old := dial(t, nil, host.URL()+"/?"+query("i1"))
	old.call("r0", "HeartbeatServerProcess", "")
	host.Door.Push(process, sdk.RefreshConnection{Endpoint: host.URL(), Token: sdktest.Token})
	if m := old.read(); m["Action"] != "RefreshConnection" || m["AuthToken"] != sdktest.Token || m["RefreshConnectionEndpoint"] != host.URL() {
		t.Fatal(m)
	}
	renewed := dial(t, nil, host.URL()+"/?"+query("i2"))
	renewed.call("r1", "HeartbeatServerProcess", "") // it is open on our side too
	host.Create(process, sdk.CreateGameSession{GameSessionID: "gs"})
	if m := renewed.read(); m["Action"] != "CreateGameSession" {
		t.Error(m)
	}
	old.call("r2", "ActivateGameSession", `,"GameSessionId":"gs"`) // stragglers are answered where they came from
	old.ws.Close(websocket.StatusGoingAway, "Websocket client reconnecting")
	renewed.write(`{"Action":"HeartbeatServerProcess","RequestId":"r3"}`)
	for renewed.read()["RequestId"] != "r3" { // r2 may be repeated here
	}
	if !host.Door.Connected(process) || len(host.Gone()) != 0 {
		t.Error("the process counts as disconnected")
	}
	renewed.ws.CloseNow()
	host.Until("Disconnected", func() bool { return !host.Door.Connected(process) })
}

// A C++ client that heard nothing for 20 s opens a new connection, with a new
// idempotency token, and repeats the message.
func TestRepeatedRequestIsCarriedOutOnce(t *testing.T) {
	host := sdktest.Start(t)
	id := host.Reserve("gs", "ada")
	release := make(chan struct{})
	host.Before(func(_ context.Context, _ sdk.Process, r sdk.Request) error {
		if _, ok := r.(sdk.AcceptPlayerSession); ok {
			<-release
		}
		return nil
	})
	members := `,"GameSessionId":"gs","PlayerSessionId":"` + id + `"`
	request := `{"Action":"AcceptPlayerSession","RequestId":"0aB9cD8eF7gH6iJ5kL4mN3oP2qR1sT0u"` + members + `}`
	first := dial(t, nil, host.URL()+"/?"+query("i1"))
	first.write(request)
	second := dial(t, nil, host.URL()+"/?"+query("i2"))
	second.write(request)
	second.call("r", "HeartbeatServerProcess", "") // both are heard by now
	close(release)
	if m := second.read(); m["StatusCode"] != 200.0 || m["RequestId"] != "0aB9cD8eF7gH6iJ5kL4mN3oP2qR1sT0u" {
		t.Error(m)
	}
	if m := second.call("0aB9cD8eF7gH6iJ5kL4mN3oP2qR1sT0u", "AcceptPlayerSession", members); m["StatusCode"] != 200.0 {
		t.Error(m)
	}
	if n := host.Count(process, "AcceptPlayerSession"); n != 1 {
		t.Errorf("carried out %d times", n)
	}
}

func TestInternalErrorsStayInside(t *testing.T) {
	host := sdktest.Start(t)
	host.Before(func(context.Context, sdk.Process, sdk.Request) error { return errors.New("database on fire") })
	c := dial(t, nil, host.URL()+"/?"+query("i"))
	m := c.call("r", "HeartbeatServerProcess", "")
	if text, _ := m["ErrorMessage"].(string); m["StatusCode"] != 500.0 || text == "" || strings.Contains(text, "fire") {
		t.Error(m)
	}
}

// pipeHost is a host in fake time.
func pipeHost(t *testing.T) (*sdktest.Host, *sdktest.Pipe) {
	host := sdktest.New(t, sdk.Options{})
	pipe := sdktest.NewPipe()
	host.Serve(pipe)
	return host, pipe
}

func TestEndedProcessIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, pipe := pipeHost(t)
		c := dial(t, pipe.Client(), "ws://pipe/?"+query("i"))
		c.call("r", "TerminateServerProcess", "")
		host.Door.Forget(process)
		start := time.Now()
		_, _, err := c.ws.Read(t.Context())
		if code := websocket.CloseStatus(err); code != websocket.StatusNormalClosure || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// A client that does not answer pings, or does not read at all, loses nothing.
func TestClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, pipe := pipeHost(t)
		stuck := dial(t, pipe.Client(), "ws://pipe/?"+query("i"))
		stuck.call("r", "HeartbeatServerProcess", "")
		synctest.Wait()
		host.Create(process, sdk.CreateGameSession{GameSessionID: "gs"})
		time.Sleep(11 * time.Second) // the write, or the pong, is overdue now
		c := dial(t, pipe.Client(), "ws://pipe/?"+query("i"))
		for {
			if m := c.read(); m["Action"] == "CreateGameSession" {
				break
			}
		}
	})
}

// C++ is slowed down by a ping right behind an answer (see wire.confirm).
func TestPingsComeLaterAndTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, pipe := pipeHost(t)
		var pings []time.Time
		ws, _, err := websocket.Dial(t.Context(), "ws://pipe/?"+query("i"), &websocket.DialOptions{
			HTTPClient:     pipe.Client(),
			OnPingReceived: func(context.Context, []byte) bool { pings = append(pings, time.Now()); return true },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		c := &client{t, ws}
		start := time.Now()
		for i := range 10 {
			c.call(fmt.Sprint(i), "HeartbeatServerProcess", "")
			time.Sleep(10 * time.Millisecond)
		}
		limited, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		ws.Read(limited) // nothing more comes
		if len(pings) != 1 || pings[0].Sub(start) != 250*time.Millisecond {
			t.Errorf("pings at %v, want one after 250ms", pings)
		}
	})
}

func TestClosingSaysComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		games := sdktest.New(t, sdk.Options{})
		pipe := sdktest.NewPipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- games.Door.Serve(ctx, pipe) }()
		c := dial(t, pipe.Client(), "ws://pipe/?"+query("i"))
		c.call("r", "HeartbeatServerProcess", "")
		entered := make(chan struct{})
		games.Before(func(ctx context.Context, _ sdk.Process, _ sdk.Request) error {
			close(entered)
			<-ctx.Done() // an answer that would never come
			return ctx.Err()
		})
		c.write(`{"Action":"AcceptPlayerSession","RequestId":"s"}`)
		<-entered
		cancel()
		if _, _, err := c.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
			t.Errorf("closed with %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		games.Door.Push(process, sdk.TerminateProcess{}) // goes nowhere, harmlessly
		games.Door.Close()
	})
}

// slowGames lets nobody in until told to.
type slowGames struct {
	*sdktest.Host
	asked, release chan struct{}
}

func (g slowGames) Connect(ctx context.Context, h sdk.Hello) error {
	g.asked <- struct{}{}
	select {
	case <-g.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestConnectThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		games := slowGames{sdktest.New(t, sdk.Options{}), make(chan struct{}, 1), make(chan struct{})}
		door := sdk.NewDoor(games, sdk.Options{MaxSockets: 1})
		pipe := sdktest.NewPipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- door.Serve(ctx, pipe) }()

		answer := make(chan *http.Response, 1)
		go func() {
			_, resp, _ := websocket.Dial(t.Context(), "ws://pipe/?"+query("i"), &websocket.DialOptions{HTTPClient: pipe.Client()})
			answer <- resp
		}()
		<-games.asked
		// One socket is all this door has.
		_, resp, err := websocket.Dial(t.Context(), "ws://pipe/?"+query("j"), &websocket.DialOptions{HTTPClient: pipe.Client()})
		if err == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a second socket: %v, %v", resp, err)
		}
		if resp := <-answer; resp.StatusCode != http.StatusInternalServerError {
			t.Errorf("after %v: %v", time.Now(), resp.Status)
		}
		cancel()
		<-done
	})
}

// The door is a handler too; the service mounts it beside others.
func TestMountedAsHandler(t *testing.T) {
	host := sdktest.New(t, sdk.Options{})
	mux := http.NewServeMux()
	mux.Handle("/server-sdk/", host.Door)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	either, err := sdk.EitherTLS(ln, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: mux}
	go server.Serve(either)
	c := dial(t, nil, "ws://"+ln.Addr().String()+"/server-sdk/?"+query("i"))
	c.call("r", "HeartbeatServerProcess", "")
	server.Close()
	closed := make(chan struct{})
	go func() { host.Door.Close(); close(closed) }()
	if _, _, err := c.ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("closed with %v", err)
	}
	<-closed
}

// Whatever is no TLS goes to HTTP, and gets an answer.
func TestGarbage(t *testing.T) {
	host := sdktest.Start(t)
	for _, garbage := range []string{"\x16\x03\x01\x00\x02garbage", "\x00\x00\x00", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(host.URL(), "ws://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, garbage+"\r\n\r\n")
		_, err = bufio.NewReader(conn).ReadByte()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q hangs: %v", garbage, err)
		}
		conn.Close()
	}
	dial(t, nil, host.URL()+"/?"+query("i"))
}

package hosttest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

const (
	argPrefix     = "hosttest-"
	argAgent      = argPrefix + "agent"
	argChild      = argPrefix + "child"
	argGrandchild = argPrefix + "grandchild"

	// secretName is a variable the service has and agents must not see.
	secretName = "CHAIRLIFT_HOSTTEST_SECRET"
	childVar   = "HOSTTEST_OF" // the instance of a child, and where to report
)

// Hello is what everything that runs in an instance says first.
type Hello struct {
	ID       lift.InstanceID
	Kind     string // agent, child, grandchild
	Token    string
	Address  string
	Isolated bool
	Dir      string
	GameDir  string
	PID      int
	Args     []string
	EnvNames []string
}

// act is the life of one process of an instance. It ends after a minute
// without the test, should that have ended early.
func act(arg string) int {
	var hello Hello
	var server string
	var lease *host.Lease
	if arg == argAgent {
		l, err := host.Enter()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		lease, server = l, l.Place.Server
		p := l.Place
		hello = Hello{ID: p.ID, Kind: "agent", Token: p.Token, Address: p.Address, Isolated: p.Isolated, Dir: p.Dir, GameDir: p.GameDir()}
	} else {
		id, at, _ := strings.Cut(os.Getenv(childVar), " ")
		hello, server = Hello{ID: lift.InstanceID(id), Kind: strings.TrimPrefix(arg, argPrefix)}, at
	}
	hello.PID, hello.Args = os.Getpid(), os.Args
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		hello.EnvNames = append(hello.EnvNames, name)
	}

	for lonely := time.Now(); time.Since(lonely) < time.Minute; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("unix", strings.TrimPrefix(server, "unix:"))
		if err != nil {
			continue
		}
		json.NewEncoder(conn).Encode(hello)
		if arg == argChild {
			if err := run(argGrandchild, hello.ID, server, func(c *exec.Cmd) error { leaveSession(c); return c.Start() }); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			arg = "" // once
		}
		obey(conn, hello.ID, server, lease)
		conn.Close()
		if lease == nil {
			return 0
		}
		lonely = time.Now()
	}
	return 1
}

func run(arg string, id lift.InstanceID, server string, start func(*exec.Cmd) error) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe, arg)
	cmd.Env = append(os.Environ(), childVar+"="+string(id)+" "+server)
	if err := start(cmd); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// obey does what the test says, a line each, until it hangs up.
func obey(conn net.Conn, id lift.InstanceID, server string, lease *host.Lease) {
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		verb, arg, _ := strings.Cut(lines.Text(), " ")
		fmt.Fprintf(conn, "%q\n", obeyOne(verb, arg, id, server, lease))
	}
}

func obeyOne(verb, arg string, id lift.InstanceID, server string, lease *host.Lease) string {
	answer := func(err error) string {
		if err != nil {
			return err.Error()
		}
		return "ok"
	}
	switch verb {
	case "launch":
		return answer(run(argChild, id, server, lease.Start))
	case "exit":
		var code int
		fmt.Sscan(arg, &code)
		os.Exit(code)
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		p.Kill()
		select {}
	case "write":
		return answer(os.WriteFile(arg, []byte(id), 0o644))
	case "read":
		text, err := os.ReadFile(arg)
		if err != nil {
			return err.Error()
		}
		return string(text)
	case "remove":
		return answer(os.Remove(arg))
	case "listen":
		l, err := net.Listen("tcp", arg)
		if err != nil {
			return err.Error()
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, string(id))
				c.Close()
			}
		}()
		return "ok"
	case "dial":
		c, err := net.DialTimeout("tcp", arg, 5*time.Second)
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		text, err := io.ReadAll(c)
		if err != nil {
			return err.Error()
		}
		return string(text)
	case "sh":
		out, err := exec.Command("/bin/sh", "-c", arg).CombinedOutput()
		if err != nil {
			return fmt.Sprintf("%s (%v)", strings.TrimSpace(string(out)), err)
		}
		return strings.TrimSpace(string(out))
	}
	return "unknown: " + verb
}

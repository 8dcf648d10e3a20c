package local

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/host/hosttest"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// enterOwnNetwork runs the tests, where they have the rights, in a network
// namespace: bridges and forwarding rules never touch the machine's own.
func enterOwnNetwork() {
	const inside = "CHAIRLIFT_TEST_OWN_NETWORK"
	if !privileged() {
		return
	}
	if os.Getenv(inside) == "" {
		cmd := exec.Command(os.Args[0], os.Args[1:]...)
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		err := cmd.Run()
		if cmd.ProcessState == nil {
			panic(err)
		}
		os.Exit(cmd.ProcessState.ExitCode())
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		panic(err)
	}
}

func needIsolation(t *testing.T) {
	t.Helper()
	if privileged() {
		return
	}
	const how = "isolated instances need root or CAP_SYS_ADMIN: run the tests as root"
	if os.Getenv("CHAIRLIFT_TEST_ALL") == "1" && os.Getenv(asNobody) == "" {
		t.Fatal(how)
	}
	t.Skip(how)
}

func TestIsolated(t *testing.T) {
	needIsolation(t)
	hosttest.Run(t, &subject{o: options(t, Isolated)})
}

// Where the kernel allows no namespaces the init itself must end everything.
func TestSharedWithoutNamespaces(t *testing.T) {
	o := options(t, Shared)
	o.plain = true
	hosttest.Run(t, &subject{o: o})
}

const asNobody = "CHAIRLIFT_TEST_AS_NOBODY"

// An ordinary user gets all of this, too. When root runs the tests, this one
// runs the others again as nobody.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		return // everything here runs as one already
	}
	dir, err := os.MkdirTemp("", "nobody")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const nobody = 65534
	exe := filepath.Join(dir, "local.test")
	for _, err := range []error{os.Chmod(dir, 0o755), copyFile(hosttest.Command()[0], exe), os.Mkdir(dir+"/tmp", 0o700), os.Chown(dir+"/tmp", nobody, nobody)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.v", "-test.run=^(TestShared|TestLongPath|TestKilledService)$")
	cmd.Dir = dir
	cmd.Env = []string{"TMPDIR=" + dir + "/tmp", "PATH=" + os.Getenv("PATH"), asNobody + "=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS: TestShared/") != 11 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFenceOfOrdinaryUser(t *testing.T) {
	if os.Getuid() == 0 {
		t.Log("tried as nobody by TestAsOrdinaryUser")
	}
	h, err := New(options(t, Shared))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, sentence := range h.Missing() {
		t.Log(sentence)
	}
	if h.fence != host.FenceProcesses && h.fence != host.FencePlain || h.Mode() != Shared {
		t.Errorf("fence %q, mode %q", h.fence, h.Mode())
	}
}

func TestInstancesHaveTheirOwn(t *testing.T) {
	needIsolation(t)
	o := options(t, Isolated)
	secrets := t.TempDir()
	if err := os.WriteFile(secrets+"/credentials", []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	o.Hide = []string{secrets}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, sentence := range h.Missing() {
		t.Log(sentence)
	}
	board := hosttest.NewSwitchboard(t)
	var agents []*hosttest.Peer
	for _, id := range []lift.InstanceID{"i-1", "i-2"} {
		spec := board.Spec(id)
		spec.CPUs, spec.MemoryMB = 1.5, 128
		if err := h.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		defer h.Stop(t.Context(), id)
		agents = append(agents, board.Wait(id, "agent"))
	}
	list, err := h.List(t.Context())
	if err != nil || len(list) != 2 || list[0].Address == list[1].Address {
		t.Fatalf("%+v, %v", list, err)
	}

	for i, a := range agents {
		ask := func(order, want string) {
			t.Helper()
			if got := a.Ask(order); got != want {
				t.Errorf("%s: %s: %q, want %q", a.ID, order, got, want)
			}
		}
		// The ports every generation of game server knows are free in both.
		ask("listen :7777", "ok")
		ask("listen 127.0.0.1:5757", "ok")
		ask("dial 127.0.0.1:5757", string(a.ID))
		ask("dial "+a.Hello.Address+":7777", string(a.ID))
		conn, err := net.DialTimeout("tcp", list[i].Address+":7777", 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); string(got) != string(a.ID) || err != nil {
			t.Errorf("%s is reached as %q, %v", a.ID, got, err)
		}
		conn.Close()

		// Files.
		ask("write /local/game/mine", "ok")
		ask("write /local/gamemetadata/mine", "ok")
		for _, name := range []string{host.GameName, host.MetaName} {
			if got, err := os.ReadFile(filepath.Join(o.Dir, "instances", string(a.ID), name, "mine")); string(got) != string(a.ID) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		ask("write /tmp/mine", "ok")
		ask("sh ls /tmp/mine /var/tmp", "/tmp/mine\n\n/var/tmp:")
		if got := a.Ask("read " + secrets + "/credentials"); !strings.Contains(got, "no such file") {
			t.Errorf("%s reads a hidden file: %q", a.ID, got)
		}
		ask("sh ls "+o.Dir+"/instances", string(a.ID))
		if !strings.Contains(strings.Join(h.Missing(), " "), "overlayfs") {
			ask("write /usr/bin/chairlift-test-mine", "ok")
			ask("remove /usr/bin/yes", "ok")
			if _, err := os.Stat("/usr/bin/chairlift-test-mine"); err == nil {
				t.Error("a system folder of the machine was written to")
			}
		}
		// Processes: the init, the agent, sh, ls.
		ask("sh ls /proc | sort -n | grep '^[0-9]' | head -1", "1")
		if a.Hello.PID == os.Getpid() || a.Hello.PID > 100 {
			t.Errorf("%s has process id %d", a.ID, a.Hello.PID)
		}
		ask("sh hostname 2>/dev/null || cat /proc/sys/kernel/hostname", string(a.ID))
		// Rights.
		for _, order := range []string{"sh mount -t tmpfs none /mnt", "sh mknod /tmp/disk b 254 0", "write /proc/sys/kernel/core_pattern"} {
			if got := a.Ask(order); !strings.Contains(got, "ermitted") && !strings.Contains(got, "denied") && !strings.Contains(got, "read-only") {
				t.Errorf("%s: %s: %q", a.ID, order, got)
			}
		}
		ask("write /dev/null", "ok")
		ask("sh ls /dev | sort | tr '\\n' ' '", "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero")
		// Limits.
		if h.limits.memory.mount != "" {
			limit := map[bool]string{true: "memory.max", false: "memory.limit_in_bytes"}[h.limits.memory.v2]
			got, err := os.ReadFile(filepath.Join(h.limits.memory.mount, h.limits.name, string(a.ID), limit))
			if strings.TrimSpace(string(got)) != "134217728" || err != nil {
				t.Errorf("%s may use %q bytes, %v", a.ID, got, err)
			}
			if pids := h.limits.pids(a.ID); len(pids) < 2 {
				t.Errorf("%s has only the processes %v in its cgroup", a.ID, pids)
			}
			if got := a.Ask("sh dd if=/dev/zero of=/dev/null bs=200M count=1 2>&1"); strings.Contains(got, "copied") {
				t.Errorf("%s took more memory than it may: %q", a.ID, got)
			}
		}
	}

	// Another Chairlift on this machine is left alone by all this.
	other, err := New(options(t, Isolated))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	// Whoever tidies up runtime folders may take an instance's socket along.
	if err := os.Remove(filepath.Join(o.Dir, "instances", "i-2", host.SocketName)); err != nil {
		t.Fatal(err)
	}
	for _, a := range agents {
		a.ExpectHere()
		if err := h.Stop(t.Context(), a.ID); err != nil {
			t.Error(err)
		}
		a.ExpectGone()
	}
	expectClean(t, h)
}

// expectClean fails if anything of the host's instances is left on the machine.
func expectClean(t *testing.T, h *Host) {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if name := l.Attrs().Name; strings.HasPrefix(name, h.network.bridge) {
			t.Errorf("network card %s is left", name)
		}
	}
	for _, c := range []controller{h.limits.cpu, h.limits.memory} {
		if _, err := os.Stat(filepath.Join(c.mount, h.limits.name)); c.mount != "" && err == nil {
			t.Errorf("cgroup %s/%s is left", c.mount, h.limits.name)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), h.Dir) {
		t.Errorf("mounts are left:\n%s", mounts)
	}
	if left, _ := os.ReadDir(filepath.Join(h.Dir, "instances")); len(left) > 0 {
		t.Errorf("folders are left: %v", left)
	}
}

// A service that is killed at any moment leaves instances that run or are not
// there, and nothing else.
func TestKilledService(t *testing.T) {
	dir := t.TempDir()
	board := hosttest.NewSwitchboard(t)
	for round := range 3 {
		cmd := serviceCommand(dir, board.Spec("x").Server)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan() // it is open
		started := map[lift.InstanceID]bool{}
		for lines.Scan() {
			started[lift.InstanceID(lines.Text())] = true
			if len(started) == 2 { // in the middle of the third
				time.AfterFunc(time.Duration(20*round)*time.Millisecond, func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()

		h, err := New(Options{Dir: dir, Command: hosttest.Command()})
		if err != nil {
			t.Fatal(err)
		}
		list, err := h.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("started %d, found %d", len(started), len(list))
		listed := map[lift.InstanceID]bool{}
		for _, in := range list {
			listed[in.ID] = true
			if in.State != host.Running {
				t.Errorf("%+v", in)
			}
		}
		for id := range started {
			if !listed[id] {
				t.Errorf("%s was started and is lost", id)
			}
		}
		for id := range listed {
			agent := board.Wait(id, "agent")
			if err := h.Stop(t.Context(), id); err != nil {
				t.Error(err)
			}
			agent.ExpectGone()
			os.Remove(h.tombstone(id)) // the next round starts it again
		}
		if h.Mode() == Isolated {
			expectClean(t, h)
		}
		h.Close()
	}
}

// Instances reach networks beyond the machine under the machine's address,
// with either program.
func TestOutwards(t *testing.T) {
	needIsolation(t)
	outside := beyond(t, "198.51.100.1/24", "198.51.100.2/24")
	tried := 0
	for _, program := range []string{"iptables", "nft"} {
		path, err := exec.LookPath(program)
		if err != nil {
			continue
		}
		tried++
		t.Run(program, func(t *testing.T) {
			o := options(t, Isolated)
			o.outwards = path
			h, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			board := hosttest.NewSwitchboard(t)
			if err := h.Start(t.Context(), board.Spec("i-1")); err != nil {
				t.Fatal(err)
			}
			if got := board.Wait("i-1", "agent").Ask("dial 198.51.100.2:80"); got != "198.51.100.1" {
				t.Errorf("seen from outside the instance is %q, want the machine's address", got)
			}
			if err := h.Stop(t.Context(), "i-1"); err != nil {
				t.Fatal(err)
			}
			expectClean(t, h)
			for _, list := range [][]string{{"iptables", "-S"}, {"iptables", "-t", "nat", "-S"}, {"nft", "list", "tables"}} {
				if out, err := exec.Command(list[0], list[1:]...).Output(); err == nil && strings.Contains(string(out), h.network.bridge) {
					t.Errorf("%v: rules are left:\n%s", list, out)
				}
			}
		})
	}
	const how = "neither iptables nor nft is installed: install nftables"
	if tried == 0 && os.Getenv("CHAIRLIFT_TEST_ALL") == "1" {
		t.Fatal(how)
	} else if tried == 0 {
		t.Skip(how)
	}
	outside.Close()
}

// beyond makes a network with one machine in it, which tells everybody who
// connects to its port 80 which address that comes from.
func beyond(t *testing.T, ours, theirs string) net.Listener {
	t.Helper()
	type made struct {
		ns  netns.NsHandle
		l   net.Listener
		err error
	}
	result, linked := make(chan made), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends in the other network
		ns, err := netns.New()
		result <- made{ns: ns, err: err}
		if err != nil || <-linked != nil {
			return
		}
		l, err := net.Listen("tcp", ":80")
		result <- made{l: l, err: err}
	}()
	m := <-result
	if m.err != nil {
		t.Fatal(m.err)
	}
	defer m.ns.Close()
	err := func() error {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs("beyond"), PeerName: "eth0", PeerNamespace: netlink.NsFd(m.ns)}); err != nil {
			return err
		}
		inside, err := netlink.NewHandleAt(m.ns)
		if err != nil {
			return err
		}
		defer inside.Close()
		here, err := netlink.NewHandle()
		if err != nil {
			return err
		}
		defer here.Close()
		for _, end := range []struct {
			h          *netlink.Handle
			name, addr string
		}{{here, "beyond", ours}, {inside, "eth0", theirs}} {
			link, err := end.h.LinkByName(end.name)
			if err != nil {
				return err
			}
			addr, err := netlink.ParseAddr(end.addr)
			if err != nil {
				return err
			}
			if err := errors.Join(end.h.AddrAdd(link, addr), end.h.LinkSetUp(link)); err != nil {
				return err
			}
		}
		return nil
	}()
	linked <- err
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeLink("beyond") })
	if m = <-result; m.err != nil {
		t.Fatal(m.err)
	}
	go func() {
		for {
			conn, err := m.l.Accept()
			if err != nil {
				return
			}
			from, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			io.WriteString(conn, from)
			conn.Close()
		}
	}()
	return m.l
}

func TestChoose(t *testing.T) {
	prefix := netip.MustParsePrefix
	for _, tt := range []struct {
		taken []netip.Prefix
		want  string
	}{
		{nil, "10.213.0.0/22"},
		{[]netip.Prefix{prefix("10.213.0.0/30")}, "10.213.4.0/22"},
		{[]netip.Prefix{prefix("10.213.3.255/32"), prefix("10.213.4.0/23")}, "10.213.8.0/22"},
		{[]netip.Prefix{prefix("10.0.0.0/8")}, "172.28.0.0/22"},
		{[]netip.Prefix{prefix("10.0.0.0/8"), prefix("172.16.0.0/12")}, "192.168.128.0/22"},
		{[]netip.Prefix{prefix("10.0.0.0/8"), prefix("172.16.0.0/12"), prefix("192.168.0.0/16")}, "invalid Prefix"},
	} {
		got, err := choose(tt.taken)
		if got.String() != tt.want || (err != nil) != (tt.want == "invalid Prefix") {
			t.Errorf("%v: %v, %v, want %s", tt.taken, got, err, tt.want)
		}
	}
	used, err := taken()
	if err != nil || !slices.Contains(used, prefix("127.0.0.0/8")) {
		t.Errorf("the machine's networks are %v, %v", used, err)
	}
}

func TestResolvConf(t *testing.T) {
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "resolv.conf")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stub, real := write("# stub\nnameserver 127.0.0.53\noptions edns0\n"), write("nameserver 192.0.2.1\nnameserver ::1\nsearch example\n")
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{[]string{real}, "nameserver 192.0.2.1\nsearch example\n"},
		{[]string{stub, real}, "nameserver 192.0.2.1\nsearch example\n"},
		{[]string{"/nowhere", real}, "nameserver 192.0.2.1\nsearch example\n"},
		{[]string{stub}, ""},
	} {
		got, why := resolvConf(tt.paths...)
		if got != tt.want || (why == "") != (tt.want != "") {
			t.Errorf("%q, %q, want %q", got, why, tt.want)
		}
	}
}

func TestCgroupMounts(t *testing.T) {
	v2 := t.TempDir()
	if err := os.WriteFile(v2+"/cgroup.controllers", []byte("cpu memory pids\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const v1 = "30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n31 29 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	unified := fmt.Sprintf("32 29 0:28 / %s rw - cgroup2 cgroup2 rw\n", v2)
	for _, tt := range []struct {
		name, mounts string
		cpu, memory  controller
	}{
		{"v1", v1, controller{"cpu", "/sys/fs/cgroup/cpu,cpuacct", false}, controller{"memory", "/sys/fs/cgroup/memory", false}},
		{"v2", unified, controller{"cpu", v2, true}, controller{"memory", v2, true}},
		{"hybrid", unified + v1[strings.Index(v1, "31"):], controller{"cpu", v2, true}, controller{"memory", "/sys/fs/cgroup/memory", false}},
		{"none", "33 29 0:29 / /sys rw - sysfs sysfs rw\n", controller{}, controller{}},
	} {
		got := cgroupMounts(tt.mounts)
		if got["cpu"] != tt.cpu || got["memory"] != tt.memory {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func BenchmarkStartStop(b *testing.B) {
	for _, mode := range []Mode{Shared, Isolated} {
		b.Run(string(mode), func(b *testing.B) {
			if mode == Isolated && !privileged() {
				b.Skip("needs root")
			}
			h, err := New(Options{Dir: b.TempDir(), Command: hosttest.Command(), Mode: mode})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			for i := 0; b.Loop(); i++ {
				id := lift.InstanceID(fmt.Sprintf("i-%d", i))
				if err := h.Start(b.Context(), host.Spec{ID: id, Server: "unix:" + b.TempDir() + "/none"}); err != nil {
					b.Fatal(err)
				}
				if err := h.Stop(b.Context(), id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package local

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/lift"
)

// system is what Linux needs to make instances.
type system struct {
	tag     string // of this folder, in the names of what is made on the machine
	fence   host.Fence
	user    bool // the fence needs a user namespace
	limits  limiter
	network network
	resolv  string
}

// attributes are those of an init process with this fence.
func (s *system) attributes(fence host.Fence, user bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	switch fence {
	case host.FenceIsolated:
		attr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	case host.FenceProcesses:
		attr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWNS
	}
	if user {
		// The user stays who it is: files look as before, inside and outside.
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	if os.Geteuid() != 0 && fence != host.FencePlain {
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN} // for mounts; the init gives it up
		if !user {
			attr.AmbientCaps = append(attr.AmbientCaps, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_DAC_OVERRIDE, unix.CAP_CHOWN)
		}
	}
	return attr
}

// probe finds the best way to make instances by making one that does nothing.
func (h *Host) probe() error {
	sum := sha256.Sum256([]byte(h.Dir))
	h.tag = hex.EncodeToString(sum[:3])
	h.network = network{bridge: "cl" + h.tag}

	var whyShared string
	if h.Options.Mode != Shared {
		err := h.probeIsolated()
		if err == nil {
			h.mode, h.fence = Isolated, host.FenceIsolated
			return nil
		}
		if h.Options.Mode == Isolated {
			return fmt.Errorf("isolated instances are not possible here: %w; start as root, or choose shared instances", err)
		}
		whyShared = fmt.Sprintf("Instances share this machine's address, ports and files, because they cannot be isolated (%v): write {port} in launch parameters where two server processes would want the same port, and expect one instance at a time with Server SDK 3 or 4.", err)
	}
	h.mode = Shared
	if whyShared != "" {
		h.missing = append(h.missing, whyShared)
	}
	var errs []error
	for _, try := range []struct {
		fence host.Fence
		user  bool
	}{{host.FenceProcesses, false}, {host.FenceProcesses, true}, {host.FencePlain, false}} {
		if try.fence == host.FenceProcesses && (h.plain || !try.user && !privileged()) {
			continue
		}
		_, err := h.try(try.fence, try.user)
		if err == nil {
			h.fence, h.user = try.fence, try.user
			break
		}
		errs = append(errs, err)
	}
	switch h.fence {
	case "":
		return errors.Join(errs...)
	case host.FencePlain:
		h.missing = append(h.missing, fmt.Sprintf("Instances have no process id namespace (%v): if an instance's first process is killed by force, programs that its server processes started may go on.", errors.Join(errs...)))
	}
	h.missing = append(h.missing, "Shared instances have no limits of processor time and memory: instance types only count.")
	return nil
}

func (h *Host) probeIsolated() error {
	if !privileged() {
		return errors.New("that takes root or CAP_SYS_ADMIN")
	}
	// Each takes some time, and most of it waits for the kernel.
	var together errgroup.Group
	var out, whyInside string
	together.Go(func() (err error) { out, err = h.try(host.FenceIsolated, false); return err })
	together.Go(h.network.probe)
	if h.network.outwards = h.Options.outwards; h.network.outwards == "" {
		together.Go(func() error { whyInside = h.network.probeOutwards(); return nil })
	}
	if err := together.Wait(); err != nil {
		return err
	}
	if strings.Contains(out, host.ProbeReadOnly) {
		h.missing = append(h.missing, "The kernel cannot layer this folder's file system over the machine's (overlayfs): install scripts find /usr, /etc and /var read-only.")
	}
	var why string
	if h.limits, why = newLimiter(h.tag); why != "" {
		h.missing = append(h.missing, why)
	}
	if whyInside != "" {
		h.missing = append(h.missing, whyInside)
	}
	if h.resolv, why = resolvConf("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"); why != "" {
		h.missing = append(h.missing, why)
	}
	return nil
}

// try runs an init with the fence that ends before it would start an agent,
// and returns what it said.
func (h *Host) try(fence host.Fence, user bool) (string, error) {
	dir, err := os.MkdirTemp(h.Dir, probePattern)
	if err != nil {
		return "", err
	}
	ended := func() error { return nil }
	defer h.background.Go(func() {
		_ = ended() // it has said how it went
		os.RemoveAll(dir)
	})
	for _, sub := range []string{host.GameName, host.MetaName} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return "", err
		}
	}
	if err := h.plan(dir, host.Spec{ID: "probe"}, h.Command, fence).Write(); err != nil {
		return "", err
	}
	said, theirs, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer said.Close()
	cmd := exec.Command(h.Command[0], h.Command[1:]...)
	cmd.Env = append(append(passedOnEnv(), h.Env...), host.ProbeEnv(dir)...)
	cmd.Stdout, cmd.Stderr = theirs, theirs
	cmd.SysProcAttr = h.attributes(fence, user)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return "", fmt.Errorf("trying the fence %q: %w", fence, err)
	}
	ended = sync.OnceValue(cmd.Wait)
	late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	text, err := io.ReadAll(said)
	out, ok := strings.CutSuffix(string(text), host.ProbeHolds+"\n")
	if !ok {
		return "", fmt.Errorf("trying the fence %q: %s (%w)", fence, strings.TrimSpace(out), errors.Join(err, ended()))
	}
	return out, nil
}

func (h *Host) plan(dir string, s host.Spec, command []string, fence host.Fence) host.Plan {
	plan := host.Plan{
		ID: s.ID, Dir: dir, Exe: command[0], Args: command, Fence: fence,
		Show: []string{dir, filepath.Join(h.Dir, "bin")}, Hide: append([]string{h.Dir}, h.Hide...),
		Resolv: h.resolv, Hostname: string(s.ID),
	}
	if path, ok := strings.CutPrefix(s.Server, "unix:"); ok {
		plan.Show = append(plan.Show, filepath.Dir(path))
	}
	if path, err := host.SocketPath(dir, host.SocketName); err == nil && filepath.Dir(path) != dir {
		plan.Show = append(plan.Show, filepath.Dir(path))
	}
	return plan
}

// privileged says whether this process may make namespaces without a user
// namespace.
func privileged() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&head, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// spawn starts the init of an instance and makes on the machine what it needs
// while it waits. See host.InitEnv for what they say to each other.
func (h *Host) spawn(ctx context.Context, dir string, s host.Spec, rec record) error {
	command, err := h.copied()
	if err != nil {
		return err
	}
	if err := h.plan(dir, s, command, h.fence).Write(); err != nil {
		return err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	log, err := os.OpenFile(filepath.Join(dir, host.LogName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		theirs.Close()
		return err
	}
	place := host.Place{ID: s.ID, Server: s.Server, Dir: dir, Address: rec.Address, Isolated: rec.Mode == Isolated}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append(append(passedOnEnv(), h.Env...), place.Env()...), host.InitEnv(dir)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = h.attributes(h.fence, h.user)
	err = cmd.Start()
	theirs.Close()
	log.Close()
	if err != nil {
		return err
	}
	go h.await(cmd, dir, s.ID)

	ours.SetDeadline(time.Now().Add(30 * time.Second))
	stop := context.AfterFunc(ctx, func() { ours.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	from := bufio.NewReader(ours)
	if err := expect(from, "held", dir); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	if rec.Mode == Isolated {
		h.mu.Lock() // the group above goes with the last instance
		err := h.limits.add(s.ID, cmd.Process.Pid, s.CPUs, s.MemoryMB)
		h.mu.Unlock()
		if err != nil {
			return err
		}
		if err := h.network.connect(rec.Address, cmd.Process.Pid); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(ours, "go"); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return errors.Join(ctx.Err(), expect(from, "running", dir))
}

// expect waits for a word of the init. Anything else is why it failed.
func expect(from *bufio.Reader, word, dir string) error {
	line, err := from.ReadString('\n')
	switch line = strings.TrimSpace(line); {
	case line == word:
		return nil
	case line != "":
		return errors.New(line)
	}
	if log, readErr := os.ReadFile(filepath.Join(dir, host.LogName)); readErr == nil && len(log) > 0 {
		return fmt.Errorf("its first process ended: %s", strings.TrimSpace(string(log[max(0, len(log)-1000):])))
	}
	return fmt.Errorf("its first process said nothing: %w", err)
}

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "init")
	f := os.NewFile(uintptr(fds[0]), "starter")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// await reaps an init that is a child of this process and notes how it ended,
// should it not have done so itself.
func (h *Host) await(cmd *exec.Cmd, dir string, id lift.InstanceID) {
	err := cmd.Wait()
	h.Log.Info("instance ended", "instance", id, "error", err)
	if !host.Started(dir) {
		return
	}
	reason := "the instance's first process ended before it could say how its agent did"
	if err != nil {
		reason += ": " + err.Error()
	}
	host.WriteExit(dir, host.Exit{Code: -1, Reason: reason, At: time.Now().UTC()})
}

// kill ends the anchor of a folder, and with it everything of the instance.
func (h *Host) kill(dir string, id lift.InstanceID) error {
	held, err := host.Held(dir)
	if err != nil || !held {
		// An anchor lets go of its lock a moment before the last of its
		// processes is gone.
		return errors.Join(err, h.limits.wait(id))
	}
	pid, err := host.Find(dir)
	if err != nil && len(h.limits.pids(id)) > 0 { // somebody removed its socket: its cgroup knows
		return h.limits.kill(id)
	}
	if err != nil {
		return fmt.Errorf("its agent holds %s but cannot be found: %w", filepath.Join(dir, host.LockName), err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// The lock is still held, so pid was its anchor's when the descriptor was
	// made; whatever becomes of the number, the descriptor stays with it.
	if held, err := host.Held(dir); err != nil || !held {
		return err
	}
	if h.planOf(dir).Fence == host.FencePlain { // ends the others before itself
		if err := signalAndWait(fd, unix.SIGTERM, 3*time.Second); err == nil {
			return nil
		}
	}
	if err := signalAndWait(fd, unix.SIGKILL, 20*time.Second); err != nil {
		return fmt.Errorf("its first process (%d) does not end: %w", pid, err)
	}
	return h.limits.wait(id)
}

func (h *Host) planOf(dir string) host.Plan {
	plan, err := host.ReadPlan(dir)
	if err != nil {
		plan.Fence = host.FencePlain // the careful one
	}
	return plan
}

func signalAndWait(fd int, signal unix.Signal, patience time.Duration) error {
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(max(time.Until(deadline).Milliseconds(), 0)))
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case n > 0:
			return nil
		case time.Now().After(deadline):
			return os.ErrDeadlineExceeded
		}
	}
}

// reserve gives an instance an address on the bridge.
func (h *Host) reserve(id lift.InstanceID) (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.reservations(); err != nil {
		return "", err
	}
	addr, err := h.network.reserve(id)
	return addr.String(), err
}

// reservations reads, once, which addresses instances of earlier processes have.
func (h *Host) reservations() error {
	if h.network.reserved != nil {
		return nil
	}
	records, err := h.records()
	if err != nil {
		return err
	}
	h.network.reserved = map[lift.InstanceID]netip.Addr{}
	for _, rec := range records {
		if addr, err := netip.ParseAddr(rec.Address); err == nil && rec.Mode == Isolated {
			h.network.reserved[rec.ID] = addr
		}
	}
	return nil
}

// release removes from the machine what was made for a dead instance, and the
// bridge with the last of them.
func (h *Host) release(id lift.InstanceID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.reservations(); err != nil {
		return err
	}
	return errors.Join(h.limits.remove(id), h.network.disconnect(id))
}

// sweepSystem removes what instances left that are not there any more. running
// says of each known instance whether it lives.
func (h *Host) sweepSystem(running map[lift.InstanceID]bool) error {
	if !privileged() {
		return nil
	}
	if err := h.reservations(); err != nil {
		return err
	}
	var alive []netip.Addr
	for id, addr := range h.network.reserved {
		if running[id] {
			alive = append(alive, addr)
		}
	}
	return errors.Join(h.limits.sweep(running), h.network.sweep(alive))
}

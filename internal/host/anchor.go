package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// An anchor is held by the first process of an instance for as long as it
// lives: the lock that says so, and the socket that says who.
type anchor struct {
	lock   *os.File
	socket net.Listener
}

// ErrTaken means that another process holds a lock.
var ErrTaken = errors.New("another process holds its lock")

func drop(dir string, id lift.InstanceID) (*anchor, error) {
	lock, err := Lock(filepath.Join(dir, LockName))
	if err != nil {
		return nil, err
	}
	path, err := SocketPath(dir, SocketName)
	if err != nil {
		lock.Close()
		return nil, err
	}
	// Whose lock it is, his is the socket: what lies there is of a dead one.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		lock.Close()
		return nil, err
	}
	socket, err := net.Listen("unix", path)
	if err != nil {
		lock.Close()
		return nil, err
	}
	a := &anchor{lock, socket}
	go a.serve(id)
	return a, nil
}

// hello is what an anchor says to everybody who connects.
type hello struct {
	ID  lift.InstanceID
	PID int // as it sees itself
}

// serve ends when the socket is closed.
func (a *anchor) serve(id lift.InstanceID) {
	text, _ := json.Marshal(hello{id, os.Getpid()})
	for {
		conn, err := a.socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of files, perhaps: rest a little
			time.Sleep(100 * time.Millisecond)
			continue
		}
		conn.SetDeadline(time.Now().Add(time.Second))
		conn.Write(append(text, '\n'))
		conn.Close()
	}
}

func (a *anchor) Close() error {
	return errors.Join(a.socket.Close(), a.lock.Close())
}

// Held says whether an anchor holds the folder: its instance lives.
func Held(dir string) (bool, error) {
	lock, err := os.OpenFile(filepath.Join(dir, LockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Close()
	err = tryLock(lock)
	if errors.Is(err, ErrTaken) {
		return true, nil
	}
	return false, err
}

// Find gives the process id of the folder's anchor as this process sees it.
func Find(dir string) (int, error) {
	path, err := SocketPath(dir, SocketName)
	if err != nil {
		return 0, err
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	return peerPID(conn.(*net.UnixConn))
}

// Started says whether the agent of the folder was ever started.
func Started(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, startedName))
	return err == nil
}

func markStarted(dir string) error {
	return os.WriteFile(filepath.Join(dir, startedName), nil, 0o600)
}

// ReadExit gives how the folder's agent ended, if somebody saw it.
func ReadExit(dir string) (Exit, bool) {
	var e Exit
	text, err := os.ReadFile(filepath.Join(dir, exitName))
	if err != nil || json.Unmarshal(text, &e) != nil {
		return Exit{Code: -1, Reason: "the agent ended and nobody saw how"}, false
	}
	return e, true
}

// WriteExit notes how the folder's agent ended, unless that is known.
func WriteExit(dir string, e Exit) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, exitName+".tmp")
	if err := os.WriteFile(temp, text, 0o600); err != nil {
		return err
	}
	if _, known := ReadExit(dir); known {
		return os.Remove(temp)
	}
	return os.Rename(temp, filepath.Join(dir, exitName))
}

// exitOf puts the end of a process into a sentence.
func exitOf(code int, signal string, at time.Time) Exit {
	if signal != "" {
		return Exit{-1, "the agent was ended by the signal " + signal, at}
	}
	return Exit{code, fmt.Sprintf("the agent exited with code %d", code), at}
}

// lockPatience is how long Lock asks again. Others may hold a lock for a moment
// that is not theirs: who asks whether it is held, and a process that was just
// forked from its dead owner and has yet to become another program.
const lockPatience = 2 * time.Second

// Lock takes a lock file for this process; ErrTaken if another has it. Closing
// the file, or the end of the process, lets go.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for asked := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err = tryLock(f); err == nil {
			return f, nil
		}
		if !errors.Is(err, ErrTaken) || time.Since(asked) > lockPatience {
			f.Close()
			return nil, err
		}
	}
}

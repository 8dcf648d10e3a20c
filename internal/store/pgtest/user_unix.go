//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

const possible = true

// ordinary is whom the server runs as if the tests run as root, whom it
// refuses; nil for everybody else.
func ordinary() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

// give makes the folder the server's.
func give(dir string) error {
	c, err := ordinary()
	if c == nil || err != nil {
		return err
	}
	return os.Chown(dir, int(c.Uid), int(c.Gid))
}

func asOrdinaryUser(cmd *exec.Cmd) {
	c, _ := ordinary() // give has reported what it says
	// A group of its own, so that a Ctrl-C at the tests does not end it before them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c, Setpgid: true}
}

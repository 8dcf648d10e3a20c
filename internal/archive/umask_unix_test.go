//go:build unix

package archive

import "syscall"

func umask(mask int) int { return syscall.Umask(mask) }

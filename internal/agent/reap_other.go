//go:build !linux

package agent

import "github.com/chairlift-games/chairlift/internal/lift"

// run does nothing: only Linux has PID namespaces.
func (r *reaper) run(<-chan struct{}) {}

// killStrays does nothing: a Windows job object lets nobody out, and where
// groups are all there is, the environment of others cannot be read.
func killStrays(lift.ProcessID) {}

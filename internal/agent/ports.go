package agent

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// portMark in the parameters of an entry becomes a free port, the same one
// wherever it stands.
const portMark = "{port}"

// ports hands out free ports, those of the fleet's inbound permissions first.
// The launcher owns it.
type ports struct {
	allowed []lift.PortPermission
	taken   map[int]lift.ProcessID
}

// lowestPort is the lowest port handed out of a permission that covers less.
const lowestPort = 1024

// fill puts a free port into parameters and keeps it for the process.
func (p *ports) fill(parameters string, id lift.ProcessID) (string, error) {
	if !strings.Contains(parameters, portMark) {
		return parameters, nil
	}
	port, err := p.free()
	if err != nil {
		return "", err
	}
	p.taken[port] = id
	return strings.ReplaceAll(parameters, portMark, strconv.Itoa(port)), nil
}

// release gives back the port of a process that is gone.
func (p *ports) release(id lift.ProcessID) {
	for port, owner := range p.taken {
		if owner == id {
			delete(p.taken, port)
		}
	}
}

func (p *ports) free() (int, error) {
	for _, a := range p.allowed {
		for port := max(a.FromPort, lowestPort); port <= min(a.ToPort, maxPort); port++ {
			if _, taken := p.taken[port]; !taken && isFree(port) {
				return port, nil
			}
		}
	}
	if len(p.allowed) > 0 {
		return 0, fmt.Errorf("every port of the fleet's inbound permissions from %d to %d is taken; widen them with UpdateFleetPortSettings", lowestPort, maxPort)
	}
	// The system's choice may be higher than a game server may report.
	const tries = 200
	for range tries {
		l, err := net.Listen("tcp", ":0")
		if err != nil {
			return 0, fmt.Errorf("looking for a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, taken := p.taken[port]; !taken && port <= maxPort && isFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port was found in %d tries", tries)
}

// isFree says whether nobody listens on port, with TCP and with UDP.
func isFree(port int) bool {
	address := ":" + strconv.Itoa(port)
	l, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	u.Close()
	return true
}

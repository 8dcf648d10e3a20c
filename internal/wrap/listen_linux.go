package wrap

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// listens reports whether anything has the port open for UDP or listens on it
// for TCP, and whether that can be seen at all.
func listens(port int) (up, known bool) {
	for _, table := range []string{"udp", "udp6", "tcp", "tcp6"} {
		f, err := os.Open("/proc/self/net/" + table)
		if err != nil {
			continue
		}
		known = true
		up = inTable(bufio.NewScanner(f), port, strings.HasPrefix(table, "tcp"))
		f.Close()
		if up {
			return true, true
		}
	}
	return false, known
}

// inTable looks for a local port in a table of /proc/net. For TCP only sockets
// in LISTEN (0A) count.
func inTable(lines *bufio.Scanner, port int, tcp bool) bool {
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || tcp && f[3] != "0A" {
			continue
		}
		_, hex, ok := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); ok && err == nil && int(n) == port {
			return true
		}
	}
	return false
}

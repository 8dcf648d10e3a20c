package local

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// network is the private bridge instances are connected to. Only the holder
// of Host.mu calls its methods, except connect.
type network struct {
	bridge   string
	subnet   netip.Prefix // invalid until the bridge is there
	outwards string       // the program that sets up NAT; empty if there is none
	reserved map[lift.InstanceID]netip.Addr
}

const subnetBits = 22 // about a thousand instances

// candidates are the private networks a subnet is looked for in, the least
// used first.
var candidates = []netip.Prefix{
	netip.MustParsePrefix("10.213.0.0/16"), netip.MustParsePrefix("172.28.0.0/14"),
	netip.MustParsePrefix("10.96.0.0/11"), netip.MustParsePrefix("192.168.128.0/17"), netip.MustParsePrefix("10.0.0.0/8"),
}

// choose finds a subnet that no address and no route of the machine touches.
func choose(taken []netip.Prefix) (netip.Prefix, error) {
	for _, c := range candidates {
	next:
		for p := netip.PrefixFrom(c.Addr(), subnetBits); c.Contains(p.Addr()); p = netip.PrefixFrom(after(p), subnetBits) {
			for _, t := range taken {
				if t.Overlaps(p) {
					continue next
				}
			}
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("every private network is routed somewhere already; there is no free subnet for instances")
}

// after is the first address behind p.
func after(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	n := uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
	n += 1 << (32 - p.Bits())
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// taken lists what addresses and routes of the machine cover, but for the
// default route.
func taken() ([]netip.Prefix, error) {
	var all []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		ones, _ := n.Mask.Size()
		if addr, ok := netip.AddrFromSlice(n.IP.To4()); ok && ones > 0 {
			all = append(all, netip.PrefixFrom(addr, ones).Masked())
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		add(a.IPNet)
	}
	// Every table: policy routing is where VPNs hide theirs.
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, err
	}
	for _, r := range routes {
		add(r.Dst)
	}
	return all, nil
}

// probe makes and removes what connect needs.
func (n *network) probe() error {
	name := n.bridge + "p"
	if err := removeLink(name); err != nil {
		return err
	}
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs(name)}); err != nil {
		return fmt.Errorf("making a network bridge: %w", err)
	}
	if err := removeLink(name); err != nil {
		return err
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs(name), PeerName: name + "q"}); err != nil {
		return fmt.Errorf("making a pair of virtual network cards: %w", err)
	}
	return removeLink(name)
}

func attrs(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// open makes the bridge, or finds that of an earlier process.
func (n *network) open() (netlink.Link, error) {
	link, err := netlink.LinkByName(n.bridge)
	if err == nil && n.subnet.IsValid() {
		return link, nil
	}
	if err == nil {
		addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
		if err != nil {
			return nil, err
		}
		if len(addrs) > 0 {
			ones, _ := addrs[0].Mask.Size()
			addr, _ := netip.AddrFromSlice(addrs[0].IP.To4())
			n.subnet = netip.PrefixFrom(addr, ones).Masked()
			return link, n.route()
		}
		if err := netlink.LinkDel(link); err != nil { // half made
			return nil, err
		}
	}
	used, err := taken()
	if err != nil {
		return nil, fmt.Errorf("looking at the machine's networks: %w", err)
	}
	subnet, err := choose(used)
	if err != nil {
		return nil, err
	}
	link = &netlink.Bridge{LinkAttrs: attrs(n.bridge)}
	if err := netlink.LinkAdd(link); err != nil {
		return nil, fmt.Errorf("making the bridge %s: %w", n.bridge, err)
	}
	gateway := subnet.Addr().Next()
	if err := errors.Join(
		netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(gateway, subnet.Bits())}),
		netlink.LinkSetUp(link),
	); err != nil {
		return nil, errors.Join(fmt.Errorf("giving the bridge %s an address: %w", n.bridge, err), netlink.LinkDel(link))
	}
	n.subnet = subnet
	return link, n.route()
}

func ipNet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, 32)}
}

// reserve gives id a free address of the subnet.
func (n *network) reserve(id lift.InstanceID) (netip.Addr, error) {
	if _, err := n.open(); err != nil {
		return netip.Addr{}, err
	}
	used := map[netip.Addr]bool{}
	for _, a := range n.reserved {
		used[a] = true
	}
	gateway := n.subnet.Addr().Next()
	for a := gateway.Next(); n.subnet.Contains(a.Next()); a = a.Next() { // the last one is for broadcasts
		if !used[a] {
			n.reserved[id] = a
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("all addresses of %s are in use; stop some of the %d instances", n.subnet, len(used))
}

// linkName is the machine's end of the cable to an address: at most 15 bytes,
// and nobody else's, as the address is not.
func (n *network) linkName(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("%sv%02x%02x", n.bridge, b[2], b[3])
}

// connect gives the network namespace of process pid a cable to the bridge.
func (n *network) connect(address string, pid int) error {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	bridge, err := netlink.LinkByName(n.bridge)
	if err != nil {
		return fmt.Errorf("the bridge %s: %w", n.bridge, err)
	}
	outer := attrs(n.linkName(addr))
	outer.MasterIndex = bridge.Attrs().Index
	if err := removeLink(outer.Name); err != nil {
		return err
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: outer, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}); err != nil {
		return fmt.Errorf("making the instance's network card: %w", err)
	}
	link, err := netlink.LinkByName(outer.Name)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return err
	}

	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("entering the instance's network: %w", err)
	}
	defer ns.Close()
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("entering the instance's network: %w", err)
	}
	defer inside.Close()
	lo, err := inside.LinkByName("lo")
	if err != nil {
		return err
	}
	eth0, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return inside.LinkSetUp(lo) },
		func() error {
			return inside.AddrAdd(eth0, &netlink.Addr{IPNet: ipNet(addr, n.subnet.Bits())})
		},
		func() error { return inside.LinkSetUp(eth0) },
		func() error {
			return inside.RouteAdd(&netlink.Route{LinkIndex: eth0.Attrs().Index, Gw: n.subnet.Addr().Next().AsSlice()})
		},
	} {
		if err := step(); err != nil {
			return fmt.Errorf("setting up the instance's network: %w", err)
		}
	}
	return nil
}

// disconnect removes the cable of an instance, and the bridge after the last.
func (n *network) disconnect(id lift.InstanceID) error {
	addr, connected := n.reserved[id]
	if !connected {
		return nil
	}
	if err := removeLink(n.linkName(addr)); err != nil {
		return err
	}
	if delete(n.reserved, id); len(n.reserved) > 0 {
		return nil
	}
	return n.close()
}

// sweep removes cables on our bridge that belong to no address of a live
// instance, and the bridge if there is none.
func (n *network) sweep(alive []netip.Addr) error {
	kept := map[string]bool{}
	for _, a := range alive {
		kept[n.linkName(a)] = true
	}
	bridge, err := netlink.LinkByName(n.bridge)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if a := l.Attrs(); a.MasterIndex == bridge.Attrs().Index && strings.HasPrefix(a.Name, n.bridge) && !kept[a.Name] {
			if err := netlink.LinkDel(l); err != nil && !notFound(err) {
				return err
			}
		}
	}
	if len(alive) > 0 {
		return nil
	}
	return n.close()
}

func (n *network) close() error {
	n.unroute()
	n.subnet = netip.Prefix{}
	return removeLink(n.bridge)
}

func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.LinkDel(link); err != nil && !notFound(err) {
		return fmt.Errorf("removing the network card %s: %w", name, err)
	}
	return nil
}

func notFound(err error) bool {
	_, missing := errors.AsType[netlink.LinkNotFoundError](err)
	return missing || err != nil && strings.Contains(err.Error(), "no such device")
}

// probeOutwards looks for a program that sets up address translation.
func (n *network) probeOutwards() string {
	for _, name := range []string{"iptables", "nft"} {
		for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err != nil || info.IsDir() {
				continue
			}
			if out, err := exec.Command(path, map[string][]string{"iptables": {"-w", "-t", "nat", "-S"}, "nft": {"list", "tables"}}[name]...).CombinedOutput(); err == nil {
				n.outwards = path
				return ""
			} else if name == "nft" {
				return fmt.Sprintf("Instances cannot reach networks beyond this machine: nft fails here (%s).", strings.TrimSpace(string(out)))
			}
		}
	}
	return "Instances cannot reach networks beyond this machine, because neither iptables nor nft is there to set up address translation: install nftables if game servers or install scripts need the internet."
}

// rules are the iptables rules of the bridge, each without its first word.
func (n *network) rules() [][]string {
	comment := []string{"-m", "comment", "--comment", "chairlift " + n.bridge}
	return [][]string{
		append([]string{"nat", "POSTROUTING", "-s", n.subnet.String(), "!", "-o", n.bridge, "-j", "MASQUERADE"}, comment...),
		append([]string{"filter", "FORWARD", "-i", n.bridge, "-j", "ACCEPT"}, comment...),
		append([]string{"filter", "FORWARD", "-o", n.bridge, "-j", "ACCEPT"}, comment...),
	}
}

// route lets instances reach out, if there is a way. It may be called again.
func (n *network) route() error {
	if n.outwards == "" {
		return nil
	}
	const forward = "/proc/sys/net/ipv4/ip_forward"
	if err := os.WriteFile(forward, []byte("1"), 0); err != nil {
		return fmt.Errorf("letting the machine forward packets: %w", err)
	}
	if filepath.Base(n.outwards) == "nft" {
		script := fmt.Sprintf(`
table ip %[1]s { }
delete table ip %[1]s
table ip %[1]s {
	chain out { type nat hook postrouting priority srcnat; policy accept; ip saddr %[2]s oifname != "%[1]s" masquerade; }
}`, n.bridge, n.subnet)
		cmd := exec.Command(n.outwards, "-f", "-")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("setting up address translation: %s (%w)", strings.TrimSpace(string(out)), err)
		}
		return nil
	}
	for _, r := range n.rules() {
		if n.iptables("-C", r) == nil {
			continue
		}
		if err := n.iptables("-I", r); err != nil {
			return fmt.Errorf("setting up address translation: %w", err)
		}
	}
	return nil
}

func (n *network) unroute() {
	switch {
	case n.outwards == "" || !n.subnet.IsValid() && !n.know():
	case filepath.Base(n.outwards) == "nft":
		exec.Command(n.outwards, "delete", "table", "ip", n.bridge).Run()
	default:
		for _, r := range n.rules() {
			for n.iptables("-D", r) == nil {
			}
		}
	}
}

// know reads the subnet off a bridge of an earlier process.
func (n *network) know() bool {
	link, err := netlink.LinkByName(n.bridge)
	if err != nil {
		return false
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addrs) == 0 {
		return false
	}
	ones, _ := addrs[0].Mask.Size()
	addr, _ := netip.AddrFromSlice(addrs[0].IP.To4())
	n.subnet = netip.PrefixFrom(addr, ones).Masked()
	return true
}

func (n *network) iptables(verb string, rule []string) error {
	args := append([]string{"-w", "-t", rule[0], verb}, rule[1:]...)
	if out, err := exec.Command(n.outwards, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s (%w)", strings.TrimSpace(string(out)), err)
	}
	return nil
}

// resolvConf gives a resolver configuration that works in another network
// namespace: without servers on loopback addresses, from the first file that
// has others.
func resolvConf(paths ...string) (content, why string) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var kept strings.Builder
		servers := 0
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == "nameserver" {
				if addr, err := netip.ParseAddr(words[1]); err == nil && addr.IsLoopback() {
					continue
				}
				servers++
			}
			kept.WriteString(line)
		}
		if servers > 0 {
			return kept.String(), ""
		}
	}
	return "", "Instances cannot resolve names, because this machine's name servers are its own loopback addresses: put a reachable one into /etc/resolv.conf if game servers need names."
}

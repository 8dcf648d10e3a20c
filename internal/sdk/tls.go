package sdk

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// tlsHandshakeByte is the first byte of every TLS connection, and of no HTTP
// request.
const tlsHandshakeByte = 0x16

// EitherTLS lets a listener speak TLS and plain text on one port: the first
// byte of a connection tells. The C++ SDK starts a TLS handshake even towards a
// ws:// URL, the Go SDK does not (server-sdk A.0 rule 6), and nobody has to know
// which is which. A nil config stands for a self-signed certificate made now;
// C++ verifies none, and clients that do are given a ws:// URL.
func EitherTLS(ln net.Listener, config *tls.Config) (net.Listener, error) {
	if config == nil {
		cert, err := selfSigned(time.Now())
		if err != nil {
			return nil, err
		}
		config = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{"http/1.1"} // an upgrade needs HTTP/1.1
	return &eitherListener{Listener: ln, config: config}, nil
}

type eitherListener struct {
	net.Listener
	config *tls.Config
}

// Accept looks at no byte itself, so a silent client holds up nobody.
func (l *eitherListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &eitherConn{Conn: conn, config: l.config}, nil
}

// eitherConn decides what it is at its first Read. A server reads first, and
// the read deadlines it sets on the connection hold for that read too.
type eitherConn struct {
	net.Conn
	config *tls.Config

	once  sync.Once
	inner net.Conn // the connection or its TLS layer, once decided
	err   error
}

func (c *eitherConn) decide() {
	var first [1]byte
	if _, c.err = c.Conn.Read(first[:]); c.err != nil {
		return
	}
	c.inner = &prefixConn{Conn: c.Conn, prefix: first[:]}
	if first[0] == tlsHandshakeByte {
		c.inner = tls.Server(c.inner, c.config)
	}
}

func (c *eitherConn) Read(b []byte) (int, error) {
	c.once.Do(c.decide)
	if c.err != nil {
		return 0, c.err
	}
	return c.inner.Read(b)
}

func (c *eitherConn) Write(b []byte) (int, error) {
	c.once.Do(c.decide)
	if c.err != nil {
		return 0, c.err
	}
	return c.inner.Write(b)
}

// prefixConn gives back the byte that was looked at.
type prefixConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixConn) Read(b []byte) (int, error) {
	if len(c.prefix) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.prefix)
	c.prefix = c.prefix[n:]
	return n, nil
}

// selfSigned makes a certificate for the local names, good for ten years.
func selfSigned(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Chairlift Server SDK endpoint"},
		NotBefore:    now.Add(-24 * time.Hour), // clocks differ
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

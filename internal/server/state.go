package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/store"
	"github.com/chairlift-games/chairlift/internal/store/sqldb"
)

// openStore opens the database that the options name.
func openStore(o Options) (store.Store, error) {
	so := sqldb.Options{Kinds: store.Kinds()}
	scheme, path, ok := strings.Cut(o.Store, ":")
	switch {
	case o.Store == "" || scheme == "sqlite" && ok:
		s, err := sqldb.OpenSQLite(cmp.Or(path, filepath.Join(o.Data, "chairlift.db")), so)
		if err != nil {
			return nil, err
		}
		return s, nil
	case isPostgres(o.Store):
		so.LockFile = filepath.Join(o.Data, "chairlift.lock")
		s, err := sqldb.OpenPostgres(o.Store, so)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	shown := scheme // what follows may be a password
	if u, err := url.Parse(o.Store); err == nil {
		shown = u.Redacted()
	}
	return nil, fmt.Errorf("the store %q is of no kind that is built; leave --store out for SQLite in the data folder, or give sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE", shown)
}

func isPostgres(name string) bool {
	return strings.HasPrefix(name, "postgres://") || strings.HasPrefix(name, "postgresql://")
}

// Names of secrets that the servers of one database share.
const (
	rootSecret   = "root-key"
	masterSecret = "master"
)

// openKeys returns the root key and the master secret. With SQLite they are
// files of the data folder. The servers of a PostgreSQL database have them in
// common: the first one puts its own into the database, and the others take
// those, so that a key, a presigned link and temporary credentials are good at
// each of them. A key in the environment comes before all others.
func openKeys(ctx context.Context, s store.Store, o Options) (root auth.Key, master []byte, err error) {
	if root, err = auth.RootKey(o.Data, o.Account, o.Getenv); err != nil {
		return root, nil, err
	}
	if master, err = auth.MasterSecret(filepath.Join(o.Data, "master.key")); err != nil || !isPostgres(o.Store) {
		return root, master, err
	}
	own, err := json.Marshal(auth.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.Secret})
	if err != nil {
		return root, nil, err
	}
	var kept []byte
	err = s.Update(ctx, func(tx store.Tx) (err error) {
		if master, err = common(tx, masterSecret, master); err == nil {
			kept, err = common(tx, rootSecret, own)
		}
		return err
	})
	if err != nil || o.Getenv("CHAIRLIFT_ACCESS_KEY_ID") != "" {
		return root, master, err
	}
	var c auth.Credentials
	if err := json.Unmarshal(kept, &c); err != nil {
		return root, nil, fmt.Errorf("the root key in the database cannot be read: %w", err)
	}
	// As if it came from the environment: so it is left in the folder, too.
	root, err = auth.RootKey(o.Data, o.Account, func(name string) string {
		switch name {
		case "CHAIRLIFT_ACCESS_KEY_ID":
			return c.AccessKeyID
		case "CHAIRLIFT_SECRET_ACCESS_KEY":
			return c.SecretAccessKey
		}
		return ""
	})
	return root, master, err
}

// common returns the secret of that name, which is own if there is none yet.
func common(tx store.Tx, name string, own []byte) ([]byte, error) {
	kept, ok, err := store.Secrets.Get(tx, name)
	if err != nil || ok {
		if ok {
			own = kept.Value
		}
		return own, err
	}
	return own, store.Secrets.Put(tx, &store.Secret{Name: name, Value: own})
}

// names returns what this server is called among others of its database: itself
// anew at each start, its host for as long as machine and folder are the same.
func (s *Server) names() (server, host string) {
	if !isPostgres(s.o.Store) {
		return "", ""
	}
	machine, err := os.Hostname()
	if err != nil {
		machine = "localhost"
	}
	server = machine + "-" + rand.Text()[:10]
	if s.host != nil {
		sum := sha256.Sum256([]byte(machine + "\x00" + s.o.Data))
		host = machine + "-" + hex.EncodeToString(sum[:5])
	}
	return server, host
}

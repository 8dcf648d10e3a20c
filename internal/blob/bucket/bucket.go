// Package bucket reads files from buckets that lie elsewhere: in folders of this
// machine and on S3-compatible services. Builds and scripts may then come from
// where a studio's tools put them, without a copy through the S3 door.
//
//	files, err := buckets.Over(files)
//	f, err := files.Open(ctx, "ci-artifacts/arena/42.zip") // of the bucket ci-artifacts
//
// It knows nothing of what the files are or who may read them. It never writes:
// who owns a bucket puts files into it.
package bucket

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/blob"
)

// Bucket is a bucket that lies elsewhere.
type Bucket struct {
	// Name is how StorageLocations call it: 3 to 63 small letters, digits and
	// hyphens (behaviour 1.2: no dot), and not one of Chairlift's own.
	Name string `yaml:"name"`
	// URL says where it lies: file:///srv/builds is a folder, in which keys are
	// paths; https://s3.example/artifacts is the bucket artifacts of an
	// S3-compatible service, which has to know buckets in paths.
	URL string `yaml:"url"`

	// Region is what requests are signed for; default us-east-1.
	Region string `yaml:"region"`
	// The access key of the service, with the secret or a file that holds it.
	// Without one requests are not signed.
	AccessKeyID         string `yaml:"access-key-id"`
	SecretAccessKey     string `yaml:"secret-access-key"`
	SecretAccessKeyFile string `yaml:"secret-access-key-file"`
}

// Buckets are all that lie elsewhere.
type Buckets []Bucket

// UnmarshalText reads buckets from YAML, of which JSON is a part.
func (b *Buckets) UnmarshalText(text []byte) error {
	var read []Bucket
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&read); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the buckets are no list of buckets: %w", err)
	}
	*b = read
	return nil
}

// A source is what a bucket reads from: the latest version if none is named.
type source interface {
	open(ctx context.Context, key, version string) (blob.File, error)
	stat(ctx context.Context, key, version string) (blob.Info, error)
}

// Over returns files with the buckets among them, by their names. An error says
// what to change.
func (b Buckets) Over(files blob.Store) (blob.Store, error) {
	if len(b) == 0 {
		return files, nil
	}
	o := over{files, map[string]source{}}
	for n, one := range b {
		s, err := one.source()
		if err == nil && o.elsewhere[one.Name] != nil {
			err = errors.New("there is another of this name")
		}
		if err != nil {
			return nil, fmt.Errorf("bucket %d (%s): %w", n+1, one.Name, err)
		}
		o.elsewhere[one.Name] = s
	}
	return o, nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

func (b Bucket) source() (source, error) {
	keyed := b.Region != "" || b.AccessKeyID != "" || b.SecretAccessKey != "" || b.SecretAccessKeyFile != ""
	u, err := url.Parse(b.URL)
	switch {
	case !nameForm.MatchString(b.Name):
		return nil, errors.New("its name must be 3 to 63 small letters, digits and hyphens")
	case strings.HasPrefix(b.Name, "chairlift-"):
		return nil, errors.New("names that begin with chairlift- are those of the service's own buckets")
	case err != nil:
		return nil, fmt.Errorf("its url cannot be read: %w", err)
	case u.Scheme == "file" && keyed:
		return nil, errors.New("a folder needs no region and no key")
	case u.Scheme == "file":
		path := filepath.FromSlash(u.Path)
		if drive := strings.TrimPrefix(path, `\`); filepath.VolumeName(drive) != "" { // of Windows: file:///C:/builds
			path = drive
		}
		if u.Host != "" || !filepath.IsAbs(path) {
			return nil, fmt.Errorf("its url must name a folder from the root on, as file:///srv/builds does; got %s", b.URL)
		}
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, fmt.Errorf("its folder cannot be opened: %w", err)
		}
		return folder{root}, nil
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(u.Path) < 2:
		return nil, errors.New("its url must be that of a folder, file:///PATH, or of a bucket, https://HOST/BUCKET")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, errors.New("its url must end with the bucket; keys have settings of their own")
	case b.SecretAccessKey != "" && b.SecretAccessKeyFile != "":
		return nil, errors.New("give it either a secret-access-key or a secret-access-key-file")
	}
	creds := auth.Credentials{AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey}
	if b.SecretAccessKeyFile != "" {
		secret, err := os.ReadFile(b.SecretAccessKeyFile)
		if err != nil {
			return nil, fmt.Errorf("its secret cannot be read: %w", err)
		}
		creds.SecretAccessKey = strings.TrimSpace(string(secret))
	}
	if (creds.AccessKeyID == "") != (creds.SecretAccessKey == "") {
		return nil, errors.New("give it both an access-key-id and its secret, or neither")
	}
	return &service{bucket: u, creds: creds, region: cmp.Or(b.Region, "us-east-1")}, nil
}

// over is a store of files with other buckets among them.
type over struct {
	blob.Store
	elsewhere map[string]source
}

// find returns the source of a key, nil if it is one of our own.
func (o over) find(key string) (s source, rest string) {
	name, rest, _ := strings.Cut(key, "/")
	return o.elsewhere[name], rest
}

func (o over) Open(ctx context.Context, key string) (blob.File, error) {
	if s, rest := o.find(key); s != nil {
		return s.open(ctx, rest, "")
	}
	return o.Store.Open(ctx, key)
}

func (o over) OpenVersion(ctx context.Context, key, version string) (blob.File, error) {
	if s, rest := o.find(key); s != nil {
		return s.open(ctx, rest, version)
	}
	return blob.OpenVersion(ctx, o.Store, key, version)
}

func (o over) Stat(ctx context.Context, key string) (blob.Info, error) {
	if s, rest := o.find(key); s != nil {
		return s.stat(ctx, rest, "")
	}
	return o.Store.Stat(ctx, key)
}

func (o over) Put(ctx context.Context, key string, r io.Reader) (blob.Info, error) {
	if s, _ := o.find(key); s != nil {
		return blob.Info{}, blob.ErrReadOnly
	}
	return o.Store.Put(ctx, key, r)
}

func (o over) Delete(ctx context.Context, key string) error {
	if s, _ := o.find(key); s != nil {
		return blob.ErrReadOnly
	}
	return o.Store.Delete(ctx, key)
}

// Begin is refused, and so no other step of an upload in parts has an upload.
func (o over) Begin(ctx context.Context, key string) (string, error) {
	if s, _ := o.find(key); s != nil {
		return "", blob.ErrReadOnly
	}
	return o.Store.Begin(ctx, key)
}

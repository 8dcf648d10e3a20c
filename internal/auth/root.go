package auth

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// RootKey returns the key that may do everything in the account. It is made at
// the first call and kept in the file credentials of the folder, in the form AWS
// clients read (AWS_SHARED_CREDENTIALS_FILE) and readable by its owner only.
// CHAIRLIFT_ACCESS_KEY_ID and CHAIRLIFT_SECRET_ACCESS_KEY, looked up by getenv,
// replace what the file says.
func RootKey(dir, account string, getenv func(string) string) (Key, error) {
	path := filepath.Join(dir, "credentials")
	kept, err := ReadCredentials(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Key{}, err
	}
	c := kept
	id, secret := getenv("CHAIRLIFT_ACCESS_KEY_ID"), getenv("CHAIRLIFT_SECRET_ACCESS_KEY")
	switch {
	case (id == "") != (secret == ""):
		return Key{}, errors.New("set both CHAIRLIFT_ACCESS_KEY_ID and CHAIRLIFT_SECRET_ACCESS_KEY, or neither")
	case id != "" && (len(id) < 16 || len(id) > 128 || strings.ContainsAny(id, "/, \t\r\n=")):
		return Key{}, errors.New("CHAIRLIFT_ACCESS_KEY_ID must have 16 to 128 characters and no space, comma, slash or equals sign")
	case id != "" && (len(secret) < 8 || strings.ContainsAny(secret, " \t\r\n")):
		return Key{}, errors.New("CHAIRLIFT_SECRET_ACCESS_KEY must have at least 8 characters and no space")
	case id != "":
		c = Credentials{AccessKeyID: id, SecretAccessKey: secret}
	case c == Credentials{}:
		c = NewCredentials()
	}
	if c != kept {
		if err := writeCredentials(path, c); err != nil {
			return Key{}, err
		}
	}
	return Key{
		AccessKeyID: c.AccessKeyID,
		Secret:      c.SecretAccessKey,
		Account:     account,
		Principal:   "arn:aws:iam::" + account + ":root",
		Policy:      Everything(),
	}, nil
}

// NewCredentials makes a random key of the form AWS keys have.
func NewCredentials() Credentials {
	var id [10]byte
	var secret [30]byte
	rand.Read(id[:])
	rand.Read(secret[:])
	return Credentials{
		AccessKeyID:     "AKIA" + base32ID.EncodeToString(id[:]),
		SecretAccessKey: base64Token.EncodeToString(secret[:]),
	}
}

// ReadCredentials reads the default profile of a file of the AWS
// shared-credentials form.
func ReadCredentials(path string) (Credentials, error) {
	f, err := os.Open(path)
	if err != nil {
		return Credentials{}, err
	}
	defer f.Close()
	var c Credentials
	profile := ""
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			profile = strings.Trim(line, "[] ")
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || profile != "default" || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "aws_access_key_id":
			c.AccessKeyID = value
		case "aws_secret_access_key":
			c.SecretAccessKey = value
		case "aws_session_token":
			c.SessionToken = value
		}
	}
	if err := lines.Err(); err != nil {
		return Credentials{}, fmt.Errorf("reading %s: %w", path, err)
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return Credentials{}, fmt.Errorf("%s has no default profile with aws_access_key_id and aws_secret_access_key; correct it, or delete it and a new key is made", path)
	}
	return c, nil
}

// writeCredentials replaces the file at once: a reader sees the old one or the new.
func writeCredentials(path string, c Credentials) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "credentials-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	_, err = fmt.Fprintf(f, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", c.AccessKeyID, c.SecretAccessKey)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// MasterSecret returns the 32 bytes that temporary credentials and compute tokens
// are sealed with, from the named file, which it makes at the first call.
func MasterSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	switch {
	case err == nil && len(secret) == 32:
		return secret, nil
	case err == nil:
		return nil, fmt.Errorf("%s must hold 32 bytes; delete it to have it made anew, which ends all temporary credentials", path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	secret = make([]byte, 32)
	rand.Read(secret)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(secret)
	return secret, errors.Join(err, f.Sync(), f.Close())
}

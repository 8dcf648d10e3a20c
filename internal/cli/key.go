package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/auth"
)

// KeyCmd makes, lists and revokes access keys.
type KeyCmd struct {
	Create KeyCreateCmd `cmd:"" help:"Make an access key and print it, this once, as a profile of the AWS shared-credentials file."`
	List   KeyListCmd   `cmd:"" help:"List the access keys; the root key in the data folder is not among them."`
	Revoke KeyRevokeCmd `cmd:"" help:"Make an access key open nothing any more."`
}

// KeyCreateCmd makes a key.
type KeyCreateCmd struct {
	Connection
	Name   string `help:"Whom the key is for; its profile and its ARN have this name. Default: the policy's name."`
	Policy string `help:"What it may do: admin, read-only, game-backend, build-upload, or a file with an IAM policy document (- reads standard input)." default:"read-only"`
}

// Run prints the profile to standard output and what it is to standard error,
// so that `chairlift key create >>~/.aws/credentials` does the whole work.
func (c *KeyCreateCmd) Run(w *World) error {
	in := &api.CreateKeyInput{}
	if c.Name != "" {
		in.Name = &c.Name
	}
	if slices.Contains(api.EnumValues("KeyPolicyName"), c.Policy) {
		in.PolicyName = &c.Policy
	} else {
		document, err := readPolicy(c.Policy)
		if err != nil {
			return err
		}
		in.Policy = &document
	}
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	out, err := gl.CreateKey(w.Ctx, in)
	if err != nil {
		return err
	}
	k := out.Key
	w.Printf("[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", deref(k.Name), deref(k.AccessKeyId), deref(out.SecretAccessKey))
	fmt.Fprintf(w.Err, "This is %s with the policy %s. The secret is shown this once; chairlift key revoke %s ends it.\n",
		deref(k.Principal), policyOf(k), deref(k.AccessKeyId))
	return nil
}

// readPolicy reads a policy document and checks it, so that a mistake is found
// before anything is asked.
func readPolicy(file string) (string, error) {
	read := func() ([]byte, error) { return os.ReadFile(file) }
	if file == "-" {
		read = func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	}
	b, err := read()
	if err != nil {
		return "", fmt.Errorf("%q is neither one of the policies %s nor a file that can be read: %w", file, strings.Join(api.EnumValues("KeyPolicyName"), ", "), err)
	}
	if _, err := auth.ParsePolicy(b); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(b), nil
}

// KeyListCmd lists keys.
type KeyListCmd struct {
	Connection
	Policies bool `help:"Also print the policy documents."`
}

// Run prints one line for each key, the oldest first.
func (c *KeyListCmd) Run(w *World) error {
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tNAME\tPOLICY\tCREATED\tSTATUS")
	in := &api.ListKeysInput{}
	for {
		out, err := gl.ListKeys(w.Ctx, in)
		if err != nil {
			return err
		}
		for i := range out.Keys {
			k := &out.Keys[i]
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", deref(k.AccessKeyId), deref(k.Name), policyOf(k), k.CreationTime.Local().Format("2006-01-02 15:04"), deref(k.Status))
			if text := deref(k.Policy); c.Policies && text != "" {
				if err := table.Flush(); err != nil {
					return err
				}
				w.Printf("  %s\n", strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  "))
			}
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return table.Flush()
		}
	}
}

// KeyRevokeCmd ends a key.
type KeyRevokeCmd struct {
	Connection
	ID string `arg:"" help:"The access key id (AKIA…)."`
}

// Run revokes the key.
func (c *KeyRevokeCmd) Run(w *World) error {
	gl, err := c.client(w)
	if err != nil {
		return err
	}
	out, err := gl.RevokeKey(w.Ctx, &api.RevokeKeyInput{AccessKeyId: c.ID})
	if err != nil {
		return err
	}
	w.Printf("%s of %s is revoked since %s\n", deref(out.Key.AccessKeyId), deref(out.Key.Principal), out.Key.RevocationTime.Local().Format("2006-01-02 15:04:05"))
	return nil
}

// policyOf names what a key may do.
func policyOf(k *api.AccessKey) string {
	if name := deref(k.PolicyName); name != "" {
		return name
	}
	return "(its own)"
}

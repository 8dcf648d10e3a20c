package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// EnvCmd prints export lines for a shell.
type EnvCmd struct {
	Connection
	OldCLI bool `name:"old-cli" help:"Also point clients that know no AWS_ENDPOINT_URL (AWS CLI before 1.29 and 2.13, such as Debian 12's) at the service."`
}

// Run writes the lines to standard output and nothing else, for eval.
func (c *EnvCmd) Run(w *World) error {
	n, creds, err := c.resolve(w)
	if err != nil {
		return err
	}
	set := func(name, value string) { w.Printf("export %s=%s\n", name, quote(value)) }
	set("AWS_ENDPOINT_URL", n.URL)
	set("AWS_REGION", n.Region)
	set("AWS_DEFAULT_REGION", n.Region)
	set("AWS_ACCESS_KEY_ID", creds.AccessKeyID)
	set("AWS_SECRET_ACCESS_KEY", creds.SecretAccessKey)
	if creds.SessionToken != "" {
		set("AWS_SESSION_TOKEN", creds.SessionToken)
	} else {
		w.Printf("unset AWS_SESSION_TOKEN\n")
	}
	if c.OldCLI {
		dir, err := c.oldClientData(n.URL)
		if err != nil {
			return err
		}
		set("AWS_DATA_PATH", dir)
	}
	return nil
}

// services that old clients are pointed at, with their API version as the
// name of their folder.
var services = map[string]string{"gamelift": "2015-10-01", "s3": "2006-03-01", "sts": "2011-06-15"}

// oldClientData writes rules for finding endpoints as botocore reads them from
// AWS_DATA_PATH: whatever the region, the endpoint is ours. For S3 the bucket
// goes into the path.
func (c *EnvCmd) oldClientData(url string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(c.Data, "old-clients"))
	if err != nil {
		return "", err
	}
	for service, version := range services {
		rules, err := json.MarshalIndent(endpointRules(url, service == "s3"), "", " ")
		if err != nil {
			return "", err
		}
		folder := filepath.Join(dir, service, version)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", fmt.Errorf("the data for old clients cannot be written: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, "endpoint-rule-set-1.json"), rules, 0o644); err != nil {
			return "", fmt.Errorf("the data for old clients cannot be written: %w", err)
		}
	}
	return dir, nil
}

type object = map[string]any

func endpointRules(url string, buckets bool) object {
	parameter := func(builtIn, typ string, def any) object {
		p := object{"builtIn": builtIn, "required": false, "documentation": "", "type": typ}
		if def != nil {
			p["required"], p["default"] = true, def
		}
		return p
	}
	params := object{
		"Region":       parameter("AWS::Region", "String", nil),
		"UseFIPS":      parameter("AWS::UseFIPS", "Boolean", false),
		"UseDualStack": parameter("AWS::UseDualStack", "Boolean", false),
		"Endpoint":     parameter("SDK::Endpoint", "String", nil),
	}
	endpoint := func(url any) object {
		return object{"conditions": []any{}, "type": "endpoint", "endpoint": object{"url": url, "properties": object{}, "headers": object{}}}
	}
	var rules []any
	isSet := func(name string) object { return object{"fn": "isSet", "argv": []any{object{"ref": name}}} }
	if buckets {
		for name, builtIn := range map[string]string{
			"ForcePathStyle": "AWS::S3::ForcePathStyle", "Accelerate": "AWS::S3::Accelerate", "UseGlobalEndpoint": "AWS::S3::UseGlobalEndpoint",
			"DisableMultiRegionAccessPoints": "AWS::S3::DisableMultiRegionAccessPoints", "UseArnRegion": "AWS::S3::UseArnRegion",
		} {
			params[name] = parameter(builtIn, "Boolean", nil)
		}
		params["Bucket"] = object{"required": false, "documentation": "", "type": "String"}
		withBucket := endpoint(url + "/{Bucket}")
		withBucket["conditions"] = []any{isSet("Bucket")}
		rules = append(rules, withBucket)
	} else {
		given := endpoint(object{"ref": "Endpoint"})
		given["conditions"] = []any{isSet("Endpoint")}
		rules = append(rules, given)
	}
	rules = append(rules, endpoint(url))
	return object{"version": "1.0", "parameters": params, "rules": rules}
}

// quote makes a word for a POSIX shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+=") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

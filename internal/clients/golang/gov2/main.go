// Gov2 is a driver of the AWS SDK for Go, version 2: built with go.mod of its
// newest, which speaks CBOR, with json.mod of the last that speaks JSON. Package
// clients tells how drivers are spoken to.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/chairlift-games/chairlift/internal/clients/golang/driver"
)

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := &client{gamelift.NewFromConfig(cfg), cfg}
	driver.Serve(c.call)
}

type client struct {
	*gamelift.Client
	cfg aws.Config
}

func (c *client) call(ask driver.Ask) (any, error) {
	ctx := context.Background()
	switch ask.Op {
	case "UploadBuild":
		return c.upload(ctx, ask)
	case "PutObject":
		return c.put(ctx, ask)
	case "Skew":
		return nil, driver.Unknown("a wrong clock that a program sets: this SDK keeps its own")
	}
	method := reflect.ValueOf(c.Client).MethodByName(ask.Op)
	if !method.IsValid() {
		return nil, driver.Unknown(ask.Op)
	}
	one := func(given json.RawMessage) (any, error) {
		in := reflect.New(method.Type().In(1).Elem())
		if err := driver.Decode(given, in.Interface()); err != nil {
			return nil, err
		}
		got := method.Call([]reflect.Value{reflect.ValueOf(ctx), in})
		if err, failed := got[1].Interface().(error); failed {
			return nil, failure(err)
		}
		b, err := json.Marshal(got[0].Interface())
		if err != nil {
			return nil, err
		}
		var out map[string]any
		err = json.Unmarshal(b, &out)
		delete(out, "ResultMetadata")
		return out, err
	}
	if ask.Pages != "" {
		return driver.Pages(ask, one)
	}
	return one(ask.In)
}

const partBytes = 5 << 20 // the least that S3 allows

func (c *client) upload(ctx context.Context, ask driver.Ask) (any, error) {
	var in driver.Upload
	if err := json.Unmarshal(ask.In, &in); err != nil {
		return nil, err
	}
	made, err := c.one(`CreateBuild`, map[string]any{"Name": in.Name, "Version": in.Version, "OperatingSystem": in.OperatingSystem})
	if err != nil {
		return nil, err
	}
	id := made["Build"].(map[string]any)["BuildId"].(string)
	to, err := c.RequestUploadCredentials(ctx, &gamelift.RequestUploadCredentialsInput{BuildId: &id})
	if err != nil {
		return nil, failure(err)
	}
	zip, err := os.ReadFile(in.Zip)
	if err != nil {
		return nil, err
	}
	k, at := to.UploadCredentials, to.StorageLocation
	door := s3.NewFromConfig(c.cfg, func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken)
	})
	begun, err := door.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: at.Bucket, Key: at.Key})
	if err != nil {
		return nil, failure(err)
	}
	var parts []types.CompletedPart
	for n := int32(1); len(zip) > 0; n++ {
		size := min(len(zip), partBytes)
		part, err := door.UploadPart(ctx, &s3.UploadPartInput{Bucket: at.Bucket, Key: at.Key, UploadId: begun.UploadId, PartNumber: &n, Body: bytes.NewReader(zip[:size])})
		if err != nil {
			return nil, failure(err)
		}
		parts, zip = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(n)}), zip[size:]
	}
	_, err = door.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: at.Bucket, Key: at.Key, UploadId: begun.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return nil, failure(err)
	}
	return map[string]any{"BuildId": id}, nil
}

// put stores a file in a bucket of the caller's.
func (c *client) put(ctx context.Context, ask driver.Ask) (any, error) {
	var in driver.File
	if err := json.Unmarshal(ask.In, &in); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(in.File)
	if err != nil {
		return nil, err
	}
	_, err = s3.NewFromConfig(c.cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: &in.Bucket, Key: &in.Key, Body: bytes.NewReader(content)})
	if err != nil {
		return nil, failure(err)
	}
	return map[string]any{}, nil
}

// one calls an operation that is not worth its enums' types here.
func (c *client) one(op string, given map[string]any) (map[string]any, error) {
	in, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	out, err := c.call(driver.Ask{Op: op, In: in})
	made, _ := out.(map[string]any)
	return made, err
}

func failure(err error) error {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		return &driver.Error{Code: e.ErrorCode(), Message: e.ErrorMessage()}
	}
	return err
}

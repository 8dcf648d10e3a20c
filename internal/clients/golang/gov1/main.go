// Gov1 is a driver of the AWS SDK for Go, version 1, as it was when the API was
// young. Package clients tells how drivers are spoken to.
package main

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/request"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/gamelift"
	"github.com/aws/aws-sdk-go/service/s3"
	"github.com/aws/aws-sdk-go/service/s3/s3manager"

	"github.com/chairlift-games/chairlift/internal/clients/golang/driver"
)

func main() {
	if slices.Contains(os.Args, "-members") {
		printMembers()
		return
	}
	c := &client{config: aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL")).WithRegion(os.Getenv("AWS_REGION")).WithS3ForcePathStyle(true)}
	c.GameLift = gamelift.New(session.Must(session.NewSession(c.config)))
	driver.Serve(c.call)
}

type client struct {
	*gamelift.GameLift
	config *aws.Config
}

func (c *client) call(ask driver.Ask) (any, error) {
	switch ask.Op {
	case "UploadBuild":
		return c.upload(ask)
	case "PutObject":
		return c.put(ask)
	case "Skew":
		return nil, driver.Unknown("a wrong clock: this SDK does not correct it")
	}
	method := reflect.ValueOf(c.GameLift).MethodByName(ask.Op + "Request")
	if !method.IsValid() {
		return nil, driver.Unknown(ask.Op)
	}
	one := func(given json.RawMessage) (any, error) {
		in := reflect.New(method.Type().In(0).Elem())
		if err := driver.Decode(given, in.Interface()); err != nil {
			return nil, err
		}
		made := method.Call([]reflect.Value{in})
		if err := made[0].Interface().(*request.Request).Send(); err != nil {
			return nil, failure(err)
		}
		return made[1].Interface(), nil
	}
	if ask.Pages != "" { // this version has no paginators for GameLift
		return driver.Pages(ask, one)
	}
	return one(ask.In)
}

// upload sends the archive in parts, as the SDK's own uploader does above 5 MiB.
func (c *client) upload(ask driver.Ask) (any, error) {
	var in driver.Upload
	if err := json.Unmarshal(ask.In, &in); err != nil {
		return nil, err
	}
	made, err := c.CreateBuild(&gamelift.CreateBuildInput{Name: &in.Name, Version: &in.Version, OperatingSystem: &in.OperatingSystem})
	if err != nil {
		return nil, failure(err)
	}
	to, err := c.RequestUploadCredentials(&gamelift.RequestUploadCredentialsInput{BuildId: made.Build.BuildId})
	if err != nil {
		return nil, failure(err)
	}
	k := to.UploadCredentials
	sess := session.Must(session.NewSession(c.config.Copy().WithCredentials(credentials.NewStaticCredentials(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken))))
	zip, err := os.Open(in.Zip)
	if err != nil {
		return nil, err
	}
	defer zip.Close()
	_, err = s3manager.NewUploaderWithClient(s3.New(sess)).Upload(&s3manager.UploadInput{Bucket: to.StorageLocation.Bucket, Key: to.StorageLocation.Key, Body: zip})
	if err != nil {
		return nil, failure(err)
	}
	return map[string]any{"BuildId": *made.Build.BuildId}, nil
}

// put stores a file in a bucket of the caller's.
func (c *client) put(ask driver.Ask) (any, error) {
	var in driver.File
	if err := json.Unmarshal(ask.In, &in); err != nil {
		return nil, err
	}
	file, err := os.Open(in.File)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	_, err = s3.New(session.Must(session.NewSession(c.config))).PutObject(&s3.PutObjectInput{Bucket: &in.Bucket, Key: &in.Key, Body: file})
	if err != nil {
		return nil, failure(err)
	}
	return map[string]any{}, nil
}

func failure(err error) error {
	if e, ok := err.(awserr.Error); ok {
		return &driver.Error{Code: e.Code(), Message: e.Message()}
	}
	return err
}

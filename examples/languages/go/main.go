// A function in Go with nothing but the standard library: it asks for events and answers them, over the Lambda Runtime API.
// AWS's own client (github.com/aws/aws-lambda-go/lambda) does the same: lambda.Start(handle), built the same way.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
)

func handle(event []byte) []byte {
	fmt.Println("an event of", len(event), "bytes")
	return fmt.Appendf(nil, `{"language": "Go on %s", "event": %s}`, runtime.GOARCH, event)
}

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		next, err := http.Get(api + "next")
		if err != nil {
			panic(err)
		}
		event, _ := io.ReadAll(next.Body)
		next.Body.Close()
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		answered, err := http.Post(api+id+"/response", "application/json", bytes.NewReader(handle(event)))
		if err != nil {
			panic(err)
		}
		answered.Body.Close()
	}
}

// Package apiclient calls the REST API. Types and calls are generated from the
// contract; this part adds tokens, time limits and errors.
package apiclient

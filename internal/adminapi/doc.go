// Package adminapi is the door for operators: the REST API below /api/v1.
//
// openapi.yaml is the contract. Types and the server interface are generated
// from it (gen.go); the files here fill that interface. A request passes the
// token's check and the scopes of its route before anything of it is read.
package adminapi

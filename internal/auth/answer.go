package auth

import (
	"encoding/json"
	"net/http"
)

// Forbidden answers that the token has none of the scopes that a door accepts.
func Forbidden(w http.ResponseWriter, accepted ...Scope) {
	answer(w, http.StatusForbidden, Scopes(accepted).join(", ")+" scope required")
}

// answer sends an error as the REST API has it.
func answer(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller that is gone cannot be told, and a text always has a JSON.
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
	}{message})
}

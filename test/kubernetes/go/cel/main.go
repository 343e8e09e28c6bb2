// Runs the CEL rules of a CustomResourceDefinition as newer API servers do: with cel-go, which they use.
//
//	cel cost FILE              the estimated cost of each rule, as one line of JSON
//	cel check FILE OBJECT...   the messages of the rules that each object (JSON) breaks, as one line of JSON each
//
// FILE is the definition as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
)

type schema struct {
	Type       string            `json:"type"`
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	Additional *schema           `json:"additionalProperties"`
	Enum       []string          `json:"enum"`
	MaxItems   *uint64           `json:"maxItems"`
	MaxLength  *uint64           `json:"maxLength"`
	Rules      []rule            `json:"x-kubernetes-validations"`
}

type rule struct {
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

type cost struct {
	Path  string `json:"path"`
	Rule  string `json:"rule"`
	Times uint64 `json:"times"`
	Cost  uint64 `json:"cost"`
}

// The largest request of the API server, which limits what has no limit in the schema.
const requestBytes = 3 * 1024 * 1024

// The words that a rule writes with underscores around them.
var reserved = map[string]bool{"return": true, "namespace": true, "in": true, "as": true, "import": true}

func unescape(name string) string {
	plain := strings.TrimSuffix(strings.TrimPrefix(name, "__"), "__")
	if reserved[plain] {
		return plain
	}
	return name
}

// size is the maximum number of elements of a value, or of bytes of a string.
func (s schema) size() uint64 {
	switch {
	case s.Type == "array" && s.MaxItems != nil:
		return *s.MaxItems
	case len(s.Enum) > 0:
		longest := 0
		for _, each := range s.Enum {
			longest = max(longest, len(each))
		}
		return uint64(longest)
	case s.MaxLength != nil:
		return 4 * *s.MaxLength
	case s.Type == "boolean" || s.Type == "integer":
		return 1
	default:
		return requestBytes
	}
}

type estimator struct{ root schema }

func (e estimator) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	path := node.Path()
	if len(path) == 0 {
		return nil
	}
	at := e.root
	for _, step := range path[1:] {
		switch step {
		case "@items":
			if at.Items == nil {
				return nil
			}
			at = *at.Items
		case "@values", "@keys":
			return nil
		default:
			at = at.Properties[unescape(step)]
		}
	}
	return &checker.SizeEstimate{Min: 0, Max: at.size()}
}

func (e estimator) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

func newEnv() *cel.Env {
	env, err := cel.NewEnv(cel.Variable("self", cel.DynType))
	if err != nil {
		panic(err)
	}
	return env
}

func compile(env *cel.Env, text string) *cel.Ast {
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		panic(fmt.Sprintf("%s: %v", text, issues.Err()))
	}
	return ast
}

// walk calls visit for each place of the schema; times is how often it can occur in an object.
func walk(s schema, path string, times uint64, visit func(schema, string, uint64)) {
	visit(s, path, times)
	for name, inner := range s.Properties {
		walk(inner, path+"."+name, times, visit)
	}
	if s.Items != nil {
		walk(*s.Items, path+"[]", times*s.size(), visit)
	}
	if s.Additional != nil {
		walk(*s.Additional, path+"{}", times*requestBytes, visit)
	}
}

func costs(root schema) []cost {
	env := newEnv()
	found := []cost{}
	walk(root, "", 1, func(s schema, path string, times uint64) {
		for _, each := range s.Rules {
			estimate, err := env.EstimateCost(compile(env, each.Rule), estimator{s})
			if err != nil {
				panic(err)
			}
			found = append(found, cost{path, each.Rule, times, estimate.Max})
		}
	})
	return found
}

type checked struct {
	env      *cel.Env
	messages []string
}

func (c *checked) object(s schema, value any) {
	if value == nil {
		return
	}
	for _, each := range s.Rules {
		program, err := c.env.Program(compile(c.env, each.Rule))
		if err != nil {
			panic(err)
		}
		result, _, err := program.Eval(map[string]any{"self": escape(s, value)})
		if err != nil {
			c.messages = append(c.messages, each.Rule+": "+err.Error())
		} else if result.Value() != true {
			c.messages = append(c.messages, each.Message)
		}
	}
	switch inner := value.(type) {
	case map[string]any:
		for name, each := range inner {
			if property, ok := s.Properties[name]; ok {
				c.object(property, each)
			} else if s.Additional != nil {
				c.object(*s.Additional, each)
			}
		}
	case []any:
		for _, each := range inner {
			if s.Items != nil {
				c.object(*s.Items, each)
			}
		}
	}
}

// escape gives fields the names that rules use, and leaves out null and unknown fields.
func escape(s schema, value any) any {
	switch inner := value.(type) {
	case map[string]any:
		result := map[string]any{}
		for name, each := range inner {
			property, ok := s.Properties[name]
			if each == nil || !ok {
				continue
			}
			if reserved[name] {
				name = "__" + name + "__"
			}
			result[name] = escape(property, each)
		}
		return result
	case []any:
		result := []any{}
		for _, each := range inner {
			if s.Items != nil {
				result = append(result, escape(*s.Items, each))
			}
		}
		return result
	case float64:
		if s.Type == "integer" {
			return int64(inner)
		}
	}
	return value
}

func read(file string, into any) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		panic(err)
	}
}

func main() {
	var definition struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					Root schema `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	read(os.Args[2], &definition)
	root := definition.Spec.Versions[0].Schema.Root
	out := json.NewEncoder(os.Stdout)
	if os.Args[1] == "cost" {
		out.Encode(costs(root))
		return
	}
	env := newEnv()
	for _, file := range os.Args[3:] {
		var objects []any
		read(file, &objects)
		for _, each := range objects {
			found := checked{env: env, messages: []string{}}
			found.object(root, each)
			out.Encode(found.messages)
		}
	}
}

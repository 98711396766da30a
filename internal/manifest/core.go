package manifest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// maxCoreDataBytes bounds the data of a ConfigMap or Secret, as the API server does.
const maxCoreDataBytes = 1 << 20

func (l *loader) addConfigMap(it item, id identity, obj map[string]any) {
	cm := &corev1.ConfigMap{}
	if !l.decodeCore(it, id, obj, cm) {
		return
	}
	sizes := map[string]int{}
	for key, value := range cm.Data {
		sizes[key] = len(value)
	}
	for key, value := range cm.BinaryData {
		if _, ok := sizes[key]; ok {
			l.fail(it, id, fmt.Sprintf("binaryData[%s]", key), "Invalid value: the key stands in data too: keep one")
		}
		sizes[key] += len(value)
	}
	if l.checkData(it, id, cm, sizes, "split it into several ConfigMaps") {
		l.objects.ConfigMaps = append(l.objects.ConfigMaps, cm)
	}
}

func (l *loader) addSecret(it item, id identity, obj map[string]any) {
	secret := &corev1.Secret{}
	if !l.decodeCore(it, id, obj, secret) {
		return
	}
	if len(secret.StringData) > 0 && secret.Data == nil {
		secret.Data = make(map[string][]byte, len(secret.StringData))
	}
	for key, value := range secret.StringData {
		secret.Data[key] = []byte(value)
	}
	secret.StringData = nil
	if secret.Type == "" {
		secret.Type = corev1.SecretTypeOpaque
	}
	sizes := map[string]int{}
	for key, value := range secret.Data {
		sizes[key] = len(value)
	}
	if l.checkData(it, id, secret, sizes, "split it into several Secrets") {
		l.objects.Secrets = append(l.objects.Secrets, secret)
	}
}

// decodeCore decodes an object of the core group strictly. Its messages hold
// names of fields but no values, so that none of a Secret gets out.
func (l *loader) decodeCore(it item, id identity, obj map[string]any, into any) bool {
	setNamespace(obj)
	data, err := json.Marshal(obj)
	if err != nil {
		l.fail(it, id, "", err.Error())
		return false
	}
	strict, err := kjson.UnmarshalStrict(data, into)
	if err != nil {
		l.fail(it, id, coreField(err), coreMessage(err))
		return false
	}
	for _, err := range strict {
		path := ""
		if at, ok := errors.AsType[kjson.FieldError](err); ok {
			path = at.FieldPath()
		}
		l.fail(it, id, path, "unknown field: remove it")
	}
	return len(strict) == 0
}

// coreField is the field that a decoding error speaks of, empty if it does not tell.
func coreField(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrong.Field
	}
	return ""
}

func coreMessage(err error) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Type.Kind() == reflect.String {
			return fmt.Sprintf("Invalid value: a %s, must be a string: put it in quotes", wrong.Value)
		}
		return fmt.Sprintf("Invalid value: a %s, must be a %s", wrong.Value, wrong.Type.Kind())
	}
	if _, ok := errors.AsType[base64.CorruptInputError](err); ok {
		return "data: Invalid value: not base64: put plain text into stringData"
	}
	return err.Error()
}

// checkData checks what ConfigMaps and Secrets share, as the API server does.
func (l *loader) checkData(it item, id identity, obj metav1.Object, sizes map[string]int, remedy string) bool {
	before := len(l.errs)
	if l.checkName(it, id) {
		for _, err := range validation.ValidateObjectMetaAccessor(obj, true, validation.NameIsDNSSubdomain, field.NewPath("metadata")) {
			l.fail(it, id, err.Field, err.ErrorBody())
		}
	}
	total := 0
	for _, key := range slices.Sorted(maps.Keys(sizes)) {
		total += sizes[key]
		for _, msg := range utilvalidation.IsConfigMapKey(key) {
			l.fail(it, id, fmt.Sprintf("data[%s]", key), "Invalid value: "+msg)
		}
	}
	if total > maxCoreDataBytes {
		l.fail(it, id, "data", fmt.Sprintf("%d bytes are more than the %d that one object may hold: %s", total, maxCoreDataBytes, remedy))
	}
	l.claim(it, id)
	return len(l.errs) == before
}

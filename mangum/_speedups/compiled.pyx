"""The hot path in C: the same names as `pure`, with the same results and errors, only faster.

Exact built-in types of the shapes that sources send take the fast path. Whatever else comes goes to
`pure`, so that what is right stands in one place; `None` from a function of this module's own means
just that.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.pyport cimport PY_SSIZE_T_MAX
from libc.string cimport memchr, memcmp, memcpy

from binascii import Error as _Base64Error
from binascii import a2b_base64 as _a2b_base64
from binascii import b2a_base64 as _b2a_base64

from mangum._speedups.constants import (
    AWAITED,
    COMPLETE,
    EAGER,
    ENVELOPE_BYTES,
    HEADER_BYTES,
    HTTP_VERSIONS,
    LIMITS,
    LONG_ESCAPES,
    MAX_ASCII_EXPANSION,
    MAX_EXPANSION,
    MAX_JSON_DEPTH,
    MAX_NAMES,
    MAX_TEXT_EXPANSION,
    MIN_SIMD_BASE64_BYTES,
    NOT_TAKEN,
    PATH_SAFE,
    TAKEN,
    UNRESERVED,
)

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    object PyUnicode_AsEncodedString(object, const char*, const char*)
    object PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)
    object PyUnicode_DecodeLatin1(const char*, Py_ssize_t, const char*)
    object PyUnicode_Join(object, object)
    list PyList_New(Py_ssize_t)
    int PyList_SetSlice(object, Py_ssize_t, Py_ssize_t, PyObject*) except -1
    dict PyDict_Copy(object)

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #define mangum_data(text) ((char *)PyUnicode_DATA(text))

    /* Header names are few, and the same ones come with every request: the last name seen in each
       slot is kept, as bytes and as text, and taken again if it is the one that is needed. */
    #define NAMES 256
    #define MAX_NAME 64

    static PyObject *mangum_bytes[NAMES], *mangum_texts[NAMES];
    static unsigned char mangum_path_safe[256], mangum_unreserved[256], mangum_hex[256];
    static unsigned char mangum_long_escapes[256];

    static void mangum_mark(unsigned char *table, const char *safe, Py_ssize_t length) {
        memset(table, 0, 256);
        for (Py_ssize_t i = 0; i < length; i++) table[(unsigned char)safe[i]] = 1;
    }

    static void mangum_mark_hex(void) {
        memset(mangum_hex, 255, 256);
        for (int i = 0; i < 10; i++) mangum_hex['0' + i] = i;
        for (int i = 0; i < 6; i++) mangum_hex['a' + i] = mangum_hex['A' + i] = 10 + i;
    }

    #define BYTES(byte) (0x0101010101010101u * (uint64_t)(byte))

    /* Lower-cases ASCII, eight bytes at once, into `to`, which has room for seven bytes more; the
       hash of the outcome, or 0 if a byte is not ASCII. */
    static inline uint32_t mangum_lower(char *to, const char *from, Py_ssize_t length) {
        uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)length, all = 0;
        for (Py_ssize_t i = 0; i < length; i += 8) {
            uint64_t word = 0;
            memcpy(&word, from + i, length - i < 8 ? (size_t)(length - i) : 8);
            all |= word;
            uint64_t low = word & BYTES(0x7f);
            word |= ((low + BYTES(128 - 'A')) ^ (low + BYTES(127 - 'Z'))) >> 2 & BYTES(32);
            memcpy(to + i, &word, 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
            hash ^= hash >> 29;
        }
        return all & BYTES(128) ? 0 : (uint32_t)(hash >> 20) | 1;
    }

    static inline PyObject *mangum_name_bytes(const char *name, Py_ssize_t length, uint32_t hash) {
        PyObject **slot = &mangum_bytes[(hash >> 8) % NAMES], *kept = *slot;
        if (kept != NULL && PyBytes_GET_SIZE(kept) == length
            && memcmp(PyBytes_AS_STRING(kept), name, length) == 0) {
            Py_INCREF(kept);
            return kept;
        }
        PyObject *made = PyBytes_FromStringAndSize(name, length);
        if (made != NULL) {
            Py_INCREF(made);
            *slot = made;
            Py_XDECREF(kept);
        }
        return made;
    }

    static inline PyObject *mangum_name_text(const char *name, Py_ssize_t length, uint32_t hash) {
        PyObject **slot = &mangum_texts[(hash >> 8) % NAMES], *kept = *slot;
        if (kept != NULL && PyUnicode_GET_LENGTH(kept) == length
            && memcmp(PyUnicode_DATA(kept), name, length) == 0) {
            Py_INCREF(kept);
            return kept;
        }
        PyObject *made = PyUnicode_New(length, 127);
        if (made != NULL) {
            memcpy(PyUnicode_DATA(made), name, length);
            Py_INCREF(made);
            *slot = made;
            Py_XDECREF(kept);
        }
        return made;
    }

    /* A text as UTF-8. Raises UnicodeEncodeError for a lone surrogate. */
    static inline PyObject *mangum_encode(PyObject *text) {
        return PyUnicode_IS_ASCII(text)
            ? PyBytes_FromStringAndSize(mangum_data(text), PyUnicode_GET_LENGTH(text))
            : PyUnicode_AsUTF8String(text);
    }

    /* `type.__new__(type)`. */
    static PyObject *mangum_new(PyObject *type, PyObject *nothing) {
        return ((PyTypeObject *)type)->tp_new((PyTypeObject *)type, nothing, NULL);
    }

    /* Whether it is made as `base` is. */
    static int mangum_has_init_of(PyObject *type, PyObject *base_type) {
        PyTypeObject *base = (PyTypeObject *)base_type;
        return PyType_Check(type)
            && PyType_IsSubtype((PyTypeObject *)type, base)
            && ((PyTypeObject *)type)->tp_init == base->tp_init
            && ((PyTypeObject *)type)->tp_new == base->tp_new;
    }

    /* The values of an event, borrowed from it, or NULL. One walk costs less than a look for each.
       They are of the types that JSON has, so nothing that looks at them runs code that could
       change the event. */
    typedef struct {
        PyObject *records, *type, *raw_path_v1, *version, *method, *path, *raw_path, *query;
        PyObject *request_context, *headers, *multi_value_headers, *cookies, *body, *is_base64;
        PyObject *parameters, *multi_value_parameters;
        int is_odd;  /* a key is no plain text, or a value of another type */
    } mangum_fields;

    static inline int mangum_is_json(PyObject *value) {
        PyTypeObject *type = Py_TYPE(value);
        return type == &PyUnicode_Type || type == &PyDict_Type || value == Py_None
            || type == &PyBool_Type || type == &PyList_Type || type == &PyLong_Type
            || type == &PyFloat_Type || type == &PyBytes_Type;
    }

    #define FIELD(key, member) \
        if (memcmp(name, key, sizeof key - 1) == 0) { fields->member = value; break; }

    static void mangum_walk(PyObject *event, mangum_fields *fields) {
        PyObject *key, *value;
        Py_ssize_t place = 0;
        memset(fields, 0, sizeof *fields);
        while (PyDict_Next(event, &place, &key, &value)) {
            if (!PyUnicode_CheckExact(key) || !mangum_is_json(value)) {
                fields->is_odd = 1;
                return;
            }
            if (!PyUnicode_IS_ASCII(key)) continue;
            const char *name = mangum_data(key);
            switch (PyUnicode_GET_LENGTH(key)) {
                case 4:
                    FIELD("path", path)
                    FIELD("body", body)
                    FIELD("type", type)
                    break;
                case 7:
                    FIELD("headers", headers)
                    FIELD("version", version)
                    FIELD("rawPath", raw_path)
                    FIELD("cookies", cookies)
                    FIELD("Records", records)
                    break;
                case 8:
                    FIELD("raw_path", raw_path_v1)
                    break;
                case 10:
                    FIELD("httpMethod", method)
                    break;
                case 14:
                    FIELD("requestContext", request_context)
                    FIELD("rawQueryString", query)
                    break;
                case 15:
                    FIELD("isBase64Encoded", is_base64)
                    break;
                case 17:
                    FIELD("multiValueHeaders", multi_value_headers)
                    break;
                case 21:
                    FIELD("queryStringParameters", parameters)
                    break;
                case 31:
                    FIELD("multiValueQueryStringParameters", multi_value_parameters)
                    break;
            }
        }
    }

    /* Whether a value was put under a key that the dict lacked; it has another one if not. */
    static inline int mangum_add_key(PyObject *dict, PyObject *key, PyObject *value) {
        Py_ssize_t former = PyDict_GET_SIZE(dict);
        if (PyDict_SetDefault(dict, key, value) == NULL) return -1;
        return PyDict_GET_SIZE(dict) > former;
    }

    /* Whether it is a pair of bytes; they are borrowed from it. */
    static inline int mangum_pair(PyObject *header, PyObject **name, PyObject **value) {
        if (PyTuple_CheckExact(header) && PyTuple_GET_SIZE(header) == 2) {
            *name = PyTuple_GET_ITEM(header, 0);
            *value = PyTuple_GET_ITEM(header, 1);
        } else if (PyList_CheckExact(header) && PyList_GET_SIZE(header) == 2) {
            *name = PyList_GET_ITEM(header, 0);
            *value = PyList_GET_ITEM(header, 1);
        } else {
            return 0;
        }
        return PyBytes_CheckExact(*name) && PyBytes_CheckExact(*value);
    }

    /* Puts `[name, value]` into an empty place of a list. */
    static inline int mangum_set_pair(
        PyObject *pairs, Py_ssize_t index, PyObject *name, PyObject *value
    ) {
        PyObject *pair = PyList_New(2);
        if (pair == NULL) return -1;
        Py_INCREF(name);
        Py_INCREF(value);
        PyList_SET_ITEM(pair, 0, name);
        PyList_SET_ITEM(pair, 1, value);
        PyList_SET_ITEM(pairs, index, pair);
        return 0;
    }

    /* The same with a value that is a text. */
    static inline int mangum_put_pair(
        PyObject *pairs, Py_ssize_t index, PyObject *name, PyObject *text
    ) {
        PyObject *value = mangum_encode(text);
        if (value == NULL) return -1;
        int done = mangum_set_pair(pairs, index, name, value);
        Py_DECREF(value);
        return done;
    }

    /* A list of texts joined by "; ", as bytes; None if one of them is not ASCII. */
    static PyObject *mangum_join_ascii(PyObject *texts) {
        Py_ssize_t count = PyList_GET_SIZE(texts), length = 2 * (count - 1);
        for (Py_ssize_t i = 0; i < count; i++) {
            if (!PyUnicode_IS_ASCII(PyList_GET_ITEM(texts, i))) Py_RETURN_NONE;
            length += PyUnicode_GET_LENGTH(PyList_GET_ITEM(texts, i));
        }
        PyObject *joined = PyBytes_FromStringAndSize(NULL, length);
        if (joined == NULL) return NULL;
        char *to = PyBytes_AS_STRING(joined);
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *text = PyList_GET_ITEM(texts, i);
            if (i > 0) {
                memcpy(to, "; ", 2);
                to += 2;
            }
            memcpy(to, mangum_data(text), (size_t)PyUnicode_GET_LENGTH(text));
            to += PyUnicode_GET_LENGTH(text);
        }
        return joined;
    }

    static int mangum_is_ascii(const char *data, Py_ssize_t length) {
        uint64_t words[8], word;
        for (; length >= 64; data += 64, length -= 64) {
            memcpy(words, data, 64);
            word = words[0] | words[1] | words[2] | words[3];
            word |= words[4] | words[5] | words[6] | words[7];
            if (word & BYTES(128)) return 0;
        }
        for (; length > 0; data++, length--)
            if (*data & 128) return 0;
        return 1;
    }

    static int mangum_has_marked(
        const char *data, Py_ssize_t length, const unsigned char *marked
    ) {
        for (const char *end = data + length; data < end; data++)
            if (marked[(unsigned char)*data]) return 1;
        return 0;
    }

    /* Whether a byte is below 14, eight of them looked at together. */
    static inline int mangum_has_low(const char *data, Py_ssize_t length) {
        uint64_t found = 0, word;
        for (; length >= 8; data += 8, length -= 8) {
            memcpy(&word, data, 8);
            found |= (word - BYTES(14)) & ~word;
        }
        word = BYTES(32);
        memcpy(&word, data, (size_t)length);
        found |= (word - BYTES(14)) & ~word;
        return (found & BYTES(128)) != 0;
    }

    static inline int mangum_is_space(unsigned char c) {
        return c == 32 || (c >= 9 && c <= 13) || (c >= 28 && c <= 31);
    }

    /* The byte that an escape stands for at `from`, which is a percent sign; -1 if it is none. */
    static inline int mangum_escape(const char *from, const char *end) {
        if (end - from < 3) return -1;
        unsigned char high = mangum_hex[(unsigned char)from[1]];
        unsigned char low = mangum_hex[(unsigned char)from[2]];
        return (high | low) > 15 ? -1 : high << 4 | low;
    }

    /* Percent-decodes into `to`, which is as long as the source; the length. */
    static Py_ssize_t mangum_unquote(char *to, const char *from, Py_ssize_t length) {
        const char *end = from + length, *begin = to;
        while (from < end) {
            int byte = *from == '%' ? mangum_escape(from, end) : -1;
            *to++ = byte < 0 ? *from : (char)byte;
            from += byte < 0 ? 1 : 3;
        }
        return to - begin;
    }

    static inline char *mangum_put(char *to, unsigned char c, const unsigned char *safe) {
        static const char digits[] = "0123456789ABCDEF";
        if (safe[c]) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
        return to;
    }

    /* Percent-encodes into `to`, which has three times the room; where it ends. */
    static char *mangum_quote(
        char *to, const char *from, Py_ssize_t length, const unsigned char *safe
    ) {
        for (const char *end = from + length; from < end; from++)
            to = mangum_put(to, (unsigned char)*from, safe);
        return to;
    }

    static char *mangum_quote_plus(char *to, const char *from, Py_ssize_t length) {
        for (const char *end = from + length; from < end; from++) {
            if (*from == ' ') *to++ = '+';
            else to = mangum_put(to, (unsigned char)*from, mangum_unreserved);
        }
        return to;
    }

    static char *mangum_requote_plus(char *to, const char *from, Py_ssize_t length) {
        for (const char *end = from + length; from < end;) {
            int byte = *from == '%' ? mangum_escape(from, end) : -1;
            unsigned char c = byte < 0 ? (unsigned char)*from : (unsigned char)byte;
            if ((byte < 0 && c == '+') || c == ' ') *to++ = '+';
            else to = mangum_put(to, c, mangum_unreserved);
            from += byte < 0 ? 1 : 3;
        }
        return to;
    }
    """
    char* PyUnicode_DATA "mangum_data" (object)
    const int MAX_NAME
    bint mangum_is_ascii(const char*, Py_ssize_t)
    bint mangum_has_marked(const char*, Py_ssize_t, const unsigned char*)
    unsigned char* mangum_long_escapes
    unsigned char* mangum_path_safe
    unsigned char* mangum_unreserved
    void mangum_mark(unsigned char*, const char*, Py_ssize_t)
    void mangum_mark_hex()
    unsigned int mangum_lower(char*, const char*, Py_ssize_t)
    object mangum_name_bytes(const char*, Py_ssize_t, unsigned int)
    object mangum_name_text(const char*, Py_ssize_t, unsigned int)
    object mangum_encode(object)
    ctypedef struct Fields "mangum_fields":
        PyObject* records
        PyObject* type
        PyObject* raw_path_v1
        PyObject* version
        PyObject* method
        PyObject* path
        PyObject* raw_path
        PyObject* query
        PyObject* request_context
        PyObject* headers
        PyObject* multi_value_headers
        PyObject* cookies
        PyObject* body
        PyObject* is_base64
        PyObject* parameters
        PyObject* multi_value_parameters
        bint is_odd
    void mangum_walk(dict, Fields*)
    int mangum_add_key(dict, object, object) except -1
    object mangum_new(object, tuple)
    bint mangum_has_init_of(object, object)
    bint mangum_pair(object, PyObject**, PyObject**)
    int mangum_set_pair(object, Py_ssize_t, object, object) except -1
    int mangum_put_pair(object, Py_ssize_t, object, object) except -1
    object mangum_join_ascii(object)
    bint mangum_has_low(const char*, Py_ssize_t)
    bint mangum_is_space(unsigned char)
    Py_ssize_t mangum_unquote(char*, const char*, Py_ssize_t)
    char* mangum_quote(char*, const char*, Py_ssize_t, const unsigned char*)
    char* mangum_quote_plus(char*, const char*, Py_ssize_t)
    char* mangum_requote_plus(char*, const char*, Py_ssize_t)


cdef void _mark(unsigned char* table, bytes safe):
    mangum_mark(table, PyBytes_AS_STRING(safe), PyBytes_GET_SIZE(safe))


_mark(mangum_path_safe, PATH_SAFE)
_mark(mangum_unreserved, UNRESERVED)
_mark(mangum_long_escapes, LONG_ESCAPES)
mangum_mark_hex()

cdef enum:
    MAX_HEADERS = 96

cdef enum Kind:
    REST
    HTTP
    LOAD_BALANCER

cdef enum Spelling:
    AS_SENT  # joined as they are
    DECODED
    ENCODED  # to be spelled as the decoded ones are

cdef bint _EAGER = EAGER
cdef int _TAKEN = TAKEN
cdef int _COMPLETE = COMPLETE
cdef int _AWAITED = AWAITED
cdef dict _HTTP_VERSIONS = HTTP_VERSIONS
cdef Py_ssize_t[3] _MAX_RESULT_BYTES
cdef Py_ssize_t[3] _MAX_HEADER_BYTES  # -1 for no limit


cdef void _limit(Kind kind, tuple limits) except *:
    _MAX_RESULT_BYTES[<int> kind] = limits[0]
    _MAX_HEADER_BYTES[<int> kind] = -1 if limits[1] is None else limits[1]


_limit(REST, LIMITS["APIGateway"])
_limit(HTTP, LIMITS["HTTPGateway"])
_limit(LOAD_BALANCER, LIMITS["ALB"])

cdef Py_ssize_t _MIN_SIMD_BASE64_BYTES = MIN_SIMD_BASE64_BYTES
cdef Py_ssize_t _MAX_EXPANSION = MAX_EXPANSION
cdef Py_ssize_t _MAX_ASCII_EXPANSION = MAX_ASCII_EXPANSION
cdef Py_ssize_t _MAX_TEXT_EXPANSION = MAX_TEXT_EXPANSION
cdef Py_ssize_t _MAX_NAMES = MAX_NAMES
cdef Py_ssize_t _MAX_JSON_DEPTH = MAX_JSON_DEPTH
cdef Py_ssize_t _HEADER_BYTES = HEADER_BYTES
cdef Py_ssize_t _ENVELOPE_BYTES = ENVELOPE_BYTES

cdef object _pure = None


cdef object pure():
    """The other half, imported when it is needed."""
    global _pure
    if _pure is None:
        import mangum._speedups.pure as module

        _pure = module
    return _pure


# The two ends of an invocation


def read_request(event, context, config, exchange_type, raise_exceptions=False):
    cdef object source, scope, body
    cdef Exchange exchange
    cdef Fields fields
    if type(event) is not dict or type(config) is not dict:
        return pure().read_request(event, context, config, exchange_type, raise_exceptions)
    mangum_walk(event, &fields)
    if fields.is_odd:
        return pure().read_request(event, context, config, exchange_type, raise_exceptions)
    source = _recognise(event, &fields)
    if source is None or config.get("events_path"):
        return None
    if fields.version != NULL and <object> fields.version == "1.0":
        return None
    try:
        if source is _HTTP:
            scope = _http_scope(event, context, config, &fields)
        elif source is _REST:
            scope = _rest_scope(event, context, config, &fields)
        else:
            scope = _alb_scope(event, context, config, &fields)
        body = decode_body(_value(fields.body), True if _value(fields.is_base64) else False)
        if _is_modern(config) and _has_tls(source, event, scope):
            return None
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError):
        return None
    if mangum_has_init_of(exchange_type, Exchange):
        exchange = <Exchange> mangum_new(exchange_type, ())
        exchange._begin(scope, body, raise_exceptions)
    else:
        exchange = exchange_type(scope, body, raise_exceptions)
    exchange.source = source
    return exchange


cdef bint _has_tls(object source, dict event, dict scope) except -1:
    cdef object request_context = event["requestContext"]
    if source is _REST:
        return True if (request_context.get("identity") or {}).get("clientCert") else False
    if (request_context.get("authentication") or {}).get("clientCert"):
        return True
    for pair in <list> scope["headers"]:
        name = (<list> pair)[0]
        if PyBytes_GET_SIZE(name) >= 11:
            if memcmp(PyBytes_AS_STRING(name), b"x-amzn-tls-", 11) == 0:
                return True
    return False


def write_result(event, exchange, config):
    cdef Exchange sent
    cdef bint is_classic
    cdef object result, source, too_large
    cdef Kind kind
    if not isinstance(exchange, Exchange) or type(config) is not dict or type(event) is not dict:
        return pure().write_result(event, exchange, config)
    is_classic = not _is_modern(config)
    sent = <Exchange> exchange
    source = sent.source
    if source == _HTTP:
        kind = HTTP
    elif source == _REST:
        kind = REST
    elif source == _ALB:
        kind = LOAD_BALANCER
        if not is_classic or (<dict> event).get("multiValueHeaders") is None:
            return None
    else:
        return pure().write_result(event, exchange, config)
    too_large = _may_exceed(
        sent.headers, sent.body, _MAX_RESULT_BYTES[<int> kind], _MAX_HEADER_BYTES[<int> kind]
    )
    if too_large is None:
        return pure().write_result(event, exchange, config)
    if too_large:
        return None
    result = _result(
        kind,
        sent.status,
        sent.headers,
        sent.body,
        (<dict> config)["exclude_headers"],
        (<dict> config)["text_mime_types"],
        "application/json" if kind == HTTP and is_classic else "",
    )
    return pure().write_result(event, exchange, config) if result is None else result


cdef class Exchange:
    cdef public object scope
    cdef public object source
    cdef public object request_body
    cdef public object raise_exceptions
    cdef public int stage
    cdef public object status
    cdef public object headers
    cdef public object body
    cdef public object chunks
    cdef public object waiters
    cdef public bint is_disconnected

    def __init__(self, scope, body, raise_exceptions=False):
        self._begin(scope, body, raise_exceptions)

    cdef void _begin(self, object scope, object body, object raise_exceptions):
        self.scope = scope
        self.request_body = body
        self.raise_exceptions = raise_exceptions
        self.status = 500
        self.headers = ()
        self.body = b""

    def take(self, message):
        cdef object message_type, value, status
        if type(message) is not dict:
            return NOT_TAKEN
        message_type = (<dict> message).get("type")
        if self.stage == 0 and message_type == "http.response.start":
            status = (<dict> message).get("status")
            if type(status) is not int:
                return NOT_TAKEN
            try:
                self.headers = copy_headers((<dict> message).get("headers"))
            except (TypeError, ValueError):
                return NOT_TAKEN
            self.status = status
            self.stage = 1
            return TAKEN
        if self.stage == 1 and message_type == "http.response.body":
            value = (<dict> message).get("body", b"")
            if type(value) is not bytes:
                return NOT_TAKEN
            return self._add(value, True if (<dict> message).get("more_body") else False)
        return NOT_TAKEN

    def add(self, chunk, more_body):
        return self._add(chunk, more_body)

    def is_over(self):
        return self.stage == 2 and self.waiters is None

    cdef int _add(self, object chunk, bint more_body) except -1:
        if more_body:
            if self.chunks is None:
                self.chunks = []
            (<list> self.chunks).append(chunk)
            return _TAKEN
        self.body = chunk if self.chunks is None else b"".join([*self.chunks, chunk])
        self.chunks = None
        self.stage = 2
        self.is_disconnected = True
        return _COMPLETE if self.waiters is None else _AWAITED


# Which event is it?


cdef str _REST = "APIGateway"
cdef str _HTTP = "HTTPGateway"
cdef str _ALB = "ALB"


def recognise(event):
    cdef Fields fields
    if type(event) is not dict:
        return pure().recognise(event)
    mangum_walk(event, &fields)
    return pure().recognise(event) if fields.is_odd else _recognise(event, &fields)


cdef object _recognise(dict event, Fields* fields):
    cdef dict request_context
    if fields.records != NULL or fields.type != NULL or fields.request_context == NULL:
        return None
    if type(<object> fields.request_context) is not dict:
        return pure().recognise(event)
    request_context = <object> fields.request_context
    if "elb" in request_context:
        return _ALB if request_context["elb"] is not None else None
    if (
        "connectionId" in request_context
        or "serviceArn" in request_context
        or "serviceNetworkArn" in request_context
        or fields.raw_path_v1 != NULL
    ):
        return None
    version = _value(fields.version)
    if version == "2.0":
        return _HTTP if isinstance(request_context.get("http"), dict) else None
    if _value(fields.method):
        return _HTTP if version == "1.0" else _REST
    return None


cdef inline object _value(PyObject* value):
    return None if value == NULL else <object> value


# Request side: the scope of a source


def rest_scope(event, context, config):
    cdef Fields fields
    if type(event) is not dict:
        return pure().rest_scope(event, context, config)
    mangum_walk(event, &fields)
    return _rest_scope(event, context, config, &fields)


cdef object _rest_scope(dict event, object context, object config, Fields* fields):
    cdef Noted noted
    cdef bint modern
    cdef dict request_context
    if fields.is_odd or not _is_plain(config):
        return pure().rest_scope(event, context, config)
    modern = _is_modern(config)
    found = _value(fields.request_context)
    path = _value(fields.path) or "/"
    method = _value(fields.method)
    if (
        type(found) is not dict
        or not _is_path(path)
        or type(method) is not str
        or (modern and _value(fields.version) == "1.0")
    ):
        return pure().rest_scope(event, context, config)
    request_context = found
    identity = request_context.get("identity")
    if identity is None:
        identity = {}
    if type(identity) is not dict:
        return pure().rest_scope(event, context, config)
    client_ip = (<dict> identity).get("sourceIp")
    if client_ip is not None and type(client_ip) is not str:
        return pure().rest_scope(event, context, config)
    stage = ""
    if modern:
        client_path = request_context.get("path")
        if client_path is None:
            client_path = ""
        if type(client_path) is not str:
            return pure().rest_scope(event, context, config)
        if client_path != path:
            stage = request_context.get("stage")
            if type(stage) is not str or not PyUnicode_IS_ASCII(stage):
                return pure().rest_scope(event, context, config)
            stage = "/" + <str> stage
            if client_path != stage and not (<str> client_path).startswith(stage + "/"):
                stage = ""
    headers = _multi_value_pairs(
        _value(fields.headers), _value(fields.multi_value_headers), modern, &noted
    )
    if headers is None:
        return pure().rest_scope(event, context, config)
    query_string = _query_string(
        _value(fields.multi_value_parameters) or _value(fields.parameters),
        DECODED,
    )
    if query_string is None:
        return pure().rest_scope(event, context, config)
    return _scope(
        event, context, modern, method, headers, &noted, stage, decode_path(path), path,
        query_string, client_ip, request_context.get("protocol"),
    )


def http_scope(event, context, config):
    cdef Fields fields
    if type(event) is not dict:
        return pure().http_scope(event, context, config)
    mangum_walk(event, &fields)
    return _http_scope(event, context, config, &fields)


cdef object _http_scope(dict event, object context, object config, Fields* fields):
    cdef Noted noted
    cdef bint modern
    cdef dict request_context, http
    if fields.is_odd or not _is_plain(config):
        return pure().http_scope(event, context, config)
    modern = _is_modern(config)
    found = _value(fields.request_context)
    path = _value(fields.raw_path)
    if type(found) is not dict or not _is_path(path):
        return pure().http_scope(event, context, config)
    request_context = found
    found = request_context.get("http")
    if type(found) is not dict:
        return pure().http_scope(event, context, config)
    http = found
    method = http.get("method")
    client_ip = http.get("sourceIp")
    domain = request_context.get("domainName")
    if domain is None:
        domain = ""
    query = _value(fields.query) or ""
    if (
        type(method) is not str
        or (client_ip is not None and type(client_ip) is not str)
        or type(domain) is not str
        or type(query) is not str
        or not PyUnicode_IS_ASCII(query)
    ):
        return pure().http_scope(event, context, config)
    raw_path = None
    if ".lambda-url." in <str> domain:
        raw_path = path
        path = decode_path(path)
    elif not PyUnicode_IS_ASCII(path):
        return pure().http_scope(event, context, config)
    elif modern:
        stage = request_context.get("stage")
        if stage is None:
            stage = "$default"
        if type(stage) is not str or (<str> path).startswith(stage or "$default", 1):
            return pure().http_scope(event, context, config)
    headers = _pairs(_value(fields.headers), _value(fields.cookies), &noted)
    if headers is None:
        return pure().http_scope(event, context, config)
    return _scope(
        event, context, modern, method, headers, &noted, "", path, raw_path,
        mangum_encode(query), client_ip, http.get("protocol"),
    )


def alb_scope(event, context, config):
    cdef Fields fields
    if type(event) is not dict:
        return pure().alb_scope(event, context, config)
    mangum_walk(event, &fields)
    return _alb_scope(event, context, config, &fields)


cdef object _alb_scope(dict event, object context, object config, Fields* fields):
    cdef Noted noted
    cdef bint modern
    if fields.is_odd or not _is_plain(config):
        return pure().alb_scope(event, context, config)
    modern = _is_modern(config)
    path = _value(fields.path) or "/"
    method = _value(fields.method)
    if not _is_path(path) or type(method) is not str:
        return pure().alb_scope(event, context, config)
    multi_value_headers = _value(fields.multi_value_headers)
    if multi_value_headers is None:
        headers = _pairs(_value(fields.headers), None, &noted)
    else:
        headers = _multi_value_pairs(None, multi_value_headers, True, &noted)
    if headers is None:
        return pure().alb_scope(event, context, config)
    query_string = _query_string(
        _value(fields.multi_value_parameters) or _value(fields.parameters),
        AS_SENT if modern else ENCODED,
    )
    if query_string is None:
        return pure().alb_scope(event, context, config)
    client_ip = None
    if noted.forwarded_for != NULL:
        client_ip = <object> noted.forwarded_for
        if not _is_one_address(client_ip):
            _held = _hold(&noted)
            client_ip = pure().last(client_ip)
            client_ip = pure().split_host(client_ip)[0] if client_ip else None
    return _scope(
        event, context, modern, method, headers, &noted, "", decode_path(path), path,
        query_string, client_ip, None,
    )


cdef bint _is_modern(dict config) except -1:
    """Whether the edition is newer than the classic one."""
    return config.get("edition", "classic") != "classic"


cdef bint _is_plain(object config) except -1:
    """Whether nothing but the edition and the event decide the path and the host."""
    cdef object base_path
    if type(config) is not dict:
        return False
    base_path = (<dict> config).get("api_gateway_base_path")
    return (
        type(base_path) is str
        and _equals(base_path, b"/", 1)
        and (<dict> config).get("root_path") is None
        and not (<dict> config).get("forwarded_host")
    )


cdef bint _is_path(object path):
    return (
        type(path) is str
        and PyUnicode_GET_LENGTH(path) > 0
        and PyUnicode_IS_ASCII(path)
        and PyUnicode_DATA(path)[0] == b"/"
    )


cdef bint _is_one_address(object value):
    """Whether an `x-forwarded-for` is an address of one word, without a port."""
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(value)
    cdef char* data
    cdef Py_ssize_t index
    if length == 0 or not PyUnicode_IS_ASCII(value):
        return False
    data = PyUnicode_DATA(value)
    for index in range(length):
        if data[index] == b"," or data[index] == b":" or data[index] == b"[":
            return False
        if mangum_is_space(data[index]):
            return False
    return True


# A copy of a dict that has all its keys costs half of one that grows.
cdef dict _ASGI = {"version": "3.0", "spec_version": "2.0"}
cdef dict _MODERN_ASGI = {"version": "3.0", "spec_version": "2.5"}
cdef dict _SCOPE = {
    "type": "http",
    "method": None,
    "http_version": "1.1",
    "headers": None,
    "path": None,
    "raw_path": None,
    "root_path": "",
    "scheme": "https",
    "query_string": b"",
    "server": None,
    "client": None,
    "asgi": None,
    "aws.event": None,
    "aws.context": None,
}


cdef dict _scope(
    object event,
    object context,
    bint modern,
    object method,
    list headers,
    Noted* noted,
    str stage,
    str path,
    object raw_path,
    bytes query_string,
    object client_ip,
    object protocol,
):
    cdef str scheme = "https"
    cdef str full_path = path
    cdef dict scope
    if noted.proto != NULL and not _equals(<object> noted.proto, b"https", 5):
        _held = _hold(noted)
        scheme = pure().scheme_of(<object> noted.proto)
    if stage:
        full_path = stage + path
    scope = PyDict_Copy(_SCOPE)
    if scheme != "https":
        scope["scheme"] = scheme
    if PyBytes_GET_SIZE(query_string):
        scope["query_string"] = query_string
    scope["method"] = method
    scope["headers"] = headers
    scope["path"] = full_path
    scope["aws.event"] = event
    scope["aws.context"] = context
    if stage:
        scope["root_path"] = stage
    if not modern:
        scope["server"] = _server(noted, 80)
        scope["client"] = (client_ip or None, 0)
        scope["asgi"] = PyDict_Copy(_ASGI)
        return scope
    scope["server"] = _server(noted, 443 if scheme == "https" else 80)
    scope["client"] = (client_ip, 0) if client_ip else None
    scope["asgi"] = PyDict_Copy(_MODERN_ASGI)
    if type(protocol) is str:
        scope["http_version"] = _HTTP_VERSIONS.get(protocol, "1.1")
    scope["raw_path"] = _raw_path(stage, path, raw_path)
    return scope


cdef object _raw_path(str stage, str path, object raw_path):
    if raw_path is None:
        return encode_path(stage + path)
    return encode_path(stage) + mangum_encode(raw_path) if stage else mangum_encode(raw_path)


cdef object _server(Noted* noted, int default_port):
    """Name and port; what is not quite plain is left to the other half."""
    cdef object host = <object> noted.host if noted.host != NULL else "mangum"
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(host)
    cdef int port = default_port
    cdef bint is_plain = length > 0 and PyUnicode_IS_ASCII(host)
    if is_plain and memchr(PyUnicode_DATA(host), b":", length) == NULL:
        if noted.port == NULL:
            return (host, port)
        if PyUnicode_IS_ASCII(<object> noted.port):
            port = _port(
                PyUnicode_DATA(<object> noted.port), PyUnicode_GET_LENGTH(<object> noted.port)
            )
            if port >= 0:
                return (host, port)
    texts = {"host": host}
    if noted.port != NULL:
        texts["x-forwarded-port"] = <object> noted.port
    return pure().server_of(texts, default_port)


cdef inline bint _equals(object text, const char* expected, Py_ssize_t length):
    return (
        PyUnicode_GET_LENGTH(text) == length
        and PyUnicode_IS_ASCII(text)
        and memcmp(PyUnicode_DATA(text), expected, length) == 0
    )


# Request side: headers

cdef struct Noted:
    # The values of the headers that decide other parts of a scope; NULL for those that are missing.
    # They are borrowed from the event.
    PyObject* host
    PyObject* proto
    PyObject* port
    PyObject* forwarded_for


cdef list _hold(Noted* noted):
    """References of one's own, for as long as other code may run."""
    return [
        _value(noted.host), _value(noted.proto), _value(noted.port), _value(noted.forwarded_for)
    ]


cdef struct Names:
    # The hashes of the names so far: an equal one may be the same name in another spelling.
    Py_ssize_t count
    unsigned long long seen  # a bit for each hash: no bit, no equal hash
    unsigned int[MAX_HEADERS] hashes


cdef object _name(object name, Names* names):
    """The lower-case bytes of a header's name; `None` if it takes a closer look."""
    cdef char[72] lower
    cdef Py_ssize_t length, index
    cdef unsigned int hash
    cdef unsigned long long bit
    if type(name) is not str or not PyUnicode_IS_ASCII(name):
        return None
    length = PyUnicode_GET_LENGTH(name)
    if length > MAX_NAME or names.count == MAX_HEADERS:
        return None
    hash = mangum_lower(lower, PyUnicode_DATA(name), length)
    bit = (<unsigned long long> 1) << (hash >> 2 & 63)
    if names.seen & bit:
        for index in range(names.count):
            if names.hashes[index] == hash:
                return None
    names.seen |= bit
    names.hashes[names.count] = hash
    names.count += 1
    return mangum_name_bytes(lower, length, hash)


cdef inline void _note(Noted* noted, bytes name, object value):
    cdef Py_ssize_t length = PyBytes_GET_SIZE(name)
    cdef char* data = PyBytes_AS_STRING(name)
    if length == 4:
        if memcmp(data, b"host", 4) == 0:
            noted.host = <PyObject*> value
    elif 15 <= length <= 17 and memcmp(data, b"x-forwarded-", 12) == 0:
        if length == 15 and memcmp(data + 12, b"for", 3) == 0:
            noted.forwarded_for = <PyObject*> value
        elif length == 16 and memcmp(data + 12, b"port", 4) == 0:
            noted.port = <PyObject*> value
        elif length == 17 and memcmp(data + 12, b"proto", 5) == 0:
            noted.proto = <PyObject*> value


cdef list _pairs(object headers, object cookies, Noted* noted, dict texts=None):
    """The pairs of `encode_headers`; `None` if they take a closer look. Fills `texts`, if given."""
    cdef Names names
    cdef Py_ssize_t count = 0, room = 0
    cdef list pairs
    cdef bint has_cookies = bool(cookies)
    names.count = names.seen = 0
    noted.host = noted.proto = noted.port = noted.forwarded_for = NULL
    if headers is not None:
        if type(headers) is not dict:
            return None
        room = len(<dict> headers)
    if has_cookies:
        if not _is_texts(cookies):
            return None
        room += 1
    pairs = PyList_New(room)
    try:
        if headers is not None:
            for name, value in (<dict> headers).items():
                key = _name(name, &names)
                if key is None or type(value) is not str:
                    return None
                if has_cookies and _is_cookie(key):
                    _put_cookies(pairs, count, texts, cookies)
                    has_cookies = False
                else:
                    _note(noted, key, value)
                    mangum_put_pair(pairs, count, key, value)
                    if texts is not None:
                        texts[(<bytes> key).decode("ascii")] = value
                count += 1
        if has_cookies:
            _put_cookies(pairs, count, texts, cookies)
            count += 1
    except UnicodeEncodeError:
        return None
    if count < room:
        PyList_SetSlice(pairs, count, room, NULL)
    return pairs


cdef int _put_cookies(list pairs, Py_ssize_t index, dict texts, list cookies) except -1:
    cdef bytes joined = mangum_join_ascii(cookies)
    if joined is None or texts is not None:
        text = PyUnicode_Join("; ", cookies)
        joined = mangum_encode(text)
        if texts is not None:
            texts["cookie"] = text
    mangum_set_pair(pairs, index, b"cookie", joined)
    return 0


cdef inline bint _is_cookie(bytes name):
    return PyBytes_GET_SIZE(name) == 6 and memcmp(PyBytes_AS_STRING(name), b"cookie", 6) == 0


cdef list _multi_value_pairs(
    object headers, object multi_value_headers, bint split, Noted* noted, dict texts=None
):
    """The pairs of `encode_multi_value_headers`; `None` if they take a closer look, as where the
    two maps do not name the same headers in the same order. Fills `texts`, if given."""
    cdef Names names
    cdef Py_ssize_t count = 0, room
    cdef list pairs
    cdef object others = None
    if multi_value_headers is not None and type(multi_value_headers) is not dict:
        return None
    if not multi_value_headers:
        return _pairs(headers, None, noted, texts)
    if headers is not None and type(headers) is not dict:
        return None
    names.count = names.seen = 0
    noted.host = noted.proto = noted.port = noted.forwarded_for = NULL
    if headers:
        if len(<dict> headers) != len(<dict> multi_value_headers):
            return None
        others = iter(<dict> headers)
    room = len(<dict> multi_value_headers)
    pairs = PyList_New(room)
    try:
        for name, values in (<dict> multi_value_headers).items():
            if others is not None and next(others) != name:
                return None
            key = _name(name, &names)
            if key is None or not _is_texts(values):
                return None
            if len(<list> values) == 1:
                value = (<list> values)[0]
                _note(noted, key, value)
            elif key in _NOTED:
                return None
            else:
                value = PyUnicode_Join("; " if _is_cookie(key) else ", ", values)
                if split and not _is_cookie(key):
                    if count < room:  # more than there is room for
                        PyList_SetSlice(pairs, count, room, NULL)
                        room = count
                    for item in <list> values:
                        pairs.append([key, mangum_encode(item)])
                    if texts is not None:
                        texts[(<bytes> key).decode("ascii")] = value
                    continue
            if count < room:
                mangum_put_pair(pairs, count, key, value)
                count += 1
            else:
                pairs.append([key, mangum_encode(value)])
            if texts is not None:
                texts[(<bytes> key).decode("ascii")] = value
    except UnicodeEncodeError:
        return None
    return pairs


cdef inline int _add(list pairs, dict texts, bytes key, object value) except -1:
    pairs.append([key, mangum_encode(value)])
    if texts is not None:
        texts[key.decode("ascii")] = value
    return 0


cdef tuple _NOTED = (b"host", b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto")


cdef bint _is_texts(object values):
    """Whether it is a list of nothing but texts, and not empty."""
    if type(values) is not list or len(<list> values) == 0:
        return False
    for value in <list> values:
        if type(value) is not str:
            return False
    return True


def encode_headers(headers, cookies):
    cdef Noted noted
    cdef dict texts = {}
    pairs = _pairs(headers, cookies, &noted, texts)
    return pure().encode_headers(headers, cookies) if pairs is None else (pairs, texts)


def encode_multi_value_headers(headers, multi_value_headers, split):
    cdef Noted noted
    cdef dict texts = {}
    pairs = _multi_value_pairs(headers, multi_value_headers, split, &noted, texts)
    if pairs is None:
        return pure().encode_multi_value_headers(headers, multi_value_headers, split)
    return pairs, texts


def encode_edge_headers(headers):
    cdef Names names
    cdef list pairs = []
    cdef dict texts = {}
    cdef bytes key
    names.count = names.seen = 0
    if type(headers) is not dict:
        return pure().encode_edge_headers(headers)
    try:
        for name, entries in (<dict> headers).items():
            key = _name(name, &names)
            if key is None or type(entries) is not list or not entries:
                return pure().encode_edge_headers(headers)
            if len(<list> entries) == 1:
                value = _edge_value((<list> entries)[0])
                if value is None:
                    return pure().encode_edge_headers(headers)
                _add(pairs, texts, key, value)
                continue
            values = []
            for entry in <list> entries:
                value = _edge_value(entry)
                if value is None:
                    return pure().encode_edge_headers(headers)
                (<list> values).append(value)
            if _is_cookie(key):
                _add(pairs, texts, key, PyUnicode_Join("; ", values))
                continue
            for value in <list> values:
                pairs.append([key, mangum_encode(value)])
            texts[key.decode("ascii")] = PyUnicode_Join(", ", values)
    except UnicodeEncodeError:
        return pure().encode_edge_headers(headers)
    return pairs, texts


cdef inline object _edge_value(object entry):
    """The text of one of CloudFront's values; `None` if it is none."""
    cdef object value
    if type(entry) is not dict:
        return None
    value = (<dict> entry).get("value")
    return value if type(value) is str else None


# Request side: paths, query strings and bodies


cpdef object decode_path(path):
    cdef Py_ssize_t length
    cdef bytes data, decoded
    if type(path) is not str:
        return pure().decode_path(path)
    if PyUnicode_IS_ASCII(path):
        length = PyUnicode_GET_LENGTH(path)
        if memchr(PyUnicode_DATA(path), b"%", length) == NULL:
            return path
    data = PyUnicode_AsEncodedString(path, b"utf-8", b"replace")
    length = PyBytes_GET_SIZE(data)
    decoded = PyBytes_FromStringAndSize(NULL, length)
    length = mangum_unquote(PyBytes_AS_STRING(decoded), PyBytes_AS_STRING(data), length)
    return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(decoded), length, b"replace")


cpdef object encode_path(path):
    cdef Py_ssize_t length
    cdef bytes data, quoted
    cdef char* end
    if type(path) is not str:
        return pure().encode_path(path)
    data = PyUnicode_AsEncodedString(path, b"utf-8", b"replace")
    length = PyBytes_GET_SIZE(data)
    quoted = PyBytes_FromStringAndSize(NULL, 3 * length)
    end = mangum_quote(
        PyBytes_AS_STRING(quoted), PyBytes_AS_STRING(data), length, mangum_path_safe
    )
    return PyBytes_FromStringAndSize(
        PyBytes_AS_STRING(quoted), end - PyBytes_AS_STRING(quoted)
    )


def encode_query_string(params):
    encoded = _query_string(params, DECODED)
    return pure().encode_query_string(params) if encoded is None else encoded


def encode_alb_query_string(params, as_sent):
    encoded = _query_string(params, AS_SENT if as_sent else ENCODED)
    return pure().encode_alb_query_string(params, as_sent) if encoded is None else encoded


cdef bytes _query_string(object params, Spelling spelling):
    """The encoded parameters; `None` if they take a closer look."""
    cdef Py_ssize_t room = 0
    cdef bytes buffer
    cdef char* to
    if not params and (params is None or type(params) is dict):
        return b""
    if type(params) is not dict:
        return None
    for name, value in (<dict> params).items():
        if type(name) is not str:
            return None
        if type(value) is str:
            room += _size(name) + _size(value) + 2
        elif type(value) is list:
            for item in <list> value:
                if type(item) is not str:
                    return None
                room += _size(name) + _size(item) + 2
        else:
            return None
    if room == 0:
        return b""
    buffer = PyBytes_FromStringAndSize(NULL, 3 * room)
    to = PyBytes_AS_STRING(buffer)
    for name, value in (<dict> params).items():
        if type(value) is str:
            to = _put_parameter(to, name, value, spelling)
        else:
            for item in <list> value:
                to = _put_parameter(to, name, item, spelling)
    # the last ampersand is one too many
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(buffer), to - PyBytes_AS_STRING(buffer) - 1)


cdef inline Py_ssize_t _size(object text):
    """How many bytes it has at most."""
    return PyUnicode_GET_LENGTH(text) * (1 if PyUnicode_IS_ASCII(text) else 4)


cdef char* _put_parameter(char* to, object name, object value, Spelling spelling) except NULL:
    to = _put_text(to, name, spelling)
    to[0] = b"="
    to = _put_text(to + 1, value, spelling)
    to[0] = b"&"
    return to + 1


cdef char* _put_text(char* to, object text, Spelling spelling) except NULL:
    cdef bytes data
    if PyUnicode_IS_ASCII(text):
        return _put(to, PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text), spelling)
    data = PyUnicode_AsEncodedString(text, b"utf-8", b"replace")
    return _put(to, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), spelling)


cdef inline char* _put(char* to, char* data, Py_ssize_t length, Spelling spelling):
    if spelling == DECODED:
        return mangum_quote_plus(to, data, length)
    if spelling == ENCODED:
        return mangum_requote_plus(to, data, length)
    memcpy(to, data, length)
    return to + length


def split_host(host):
    cdef Py_ssize_t length, port
    cdef char* data
    cdef char* colon
    if type(host) is not str or not PyUnicode_IS_ASCII(host):
        return pure().split_host(host)
    data = PyUnicode_DATA(host)
    length = PyUnicode_GET_LENGTH(host)
    colon = <char*> memchr(data, b":", length)
    if colon == NULL:
        return (host, None)
    if data[0] == b"[" or memchr(colon + 1, b":", data + length - colon - 1) != NULL:
        return pure().split_host(host)
    port = _port(colon + 1, data + length - colon - 1)
    name = PyUnicode_DecodeLatin1(data, colon - data, NULL)
    return (name, None if port < 0 else port)


cdef int _port(const char* digits, Py_ssize_t length):
    """The port that is written there; -1 if it is none."""
    cdef Py_ssize_t index
    cdef int port = 0
    if length < 1 or length > 5:
        return -1
    for index in range(length):
        if digits[index] < b"0" or digits[index] > b"9":
            return -1
        port = port * 10 + digits[index] - 48
    return port if port <= 65535 else -1


cpdef object decode_body(body, is_base64):
    if not body:
        return b""
    if is_base64:
        if len(body) >= _MIN_SIMD_BASE64_BYTES:
            try:
                from pybase64 import b64decode

                return b64decode(body, validate=True)
            except (ImportError, _Base64Error):
                pass
        return _a2b_base64(body)
    if type(body) is str and PyUnicode_IS_ASCII(body):
        return mangum_encode(body)
    return pure().decode_body(body, is_base64)


# Response side


cdef inline str _lower_name(bytes name):
    """A header's name as lower-case text; `None` if it takes a closer look."""
    cdef char[72] lower
    cdef Py_ssize_t length = PyBytes_GET_SIZE(name)
    cdef unsigned int hash
    if length > MAX_NAME:
        return None
    hash = mangum_lower(lower, PyBytes_AS_STRING(name), length)
    return mangum_name_text(lower, length, hash) if hash else None


cdef inline str _latin1(bytes value):
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), NULL)


cpdef object copy_headers(headers):
    cdef list copy = []
    cdef PyObject* name
    cdef PyObject* value
    if type(headers) is not list and type(headers) is not tuple:
        return pure().copy_headers(headers)
    for header in headers:
        if not mangum_pair(header, &name, &value):
            return pure().copy_headers(headers)
        if _is_forbidden(<bytes> name) or _is_forbidden(<bytes> value):
            return pure().copy_headers(headers)
        copy.append(header if type(header) is tuple else [<bytes> name, <bytes> value])
    return copy


cdef inline bint _is_forbidden(bytes part):
    """Whether it has a line break or a zero byte."""
    cdef Py_ssize_t length = PyBytes_GET_SIZE(part)
    cdef char* data = PyBytes_AS_STRING(part)
    return mangum_has_low(data, length) and (
        memchr(data, b"\n", length) != NULL
        or memchr(data, b"\r", length) != NULL
        or memchr(data, 0, length) != NULL
    )


def may_exceed(response, max_result_bytes, max_header_bytes):
    cdef object exceeds = None
    if (
        type(response) is dict
        and _is_size(max_result_bytes)
        and (max_header_bytes is None or _is_size(max_header_bytes))
    ):
        exceeds = _may_exceed(
            (<dict> response).get("headers"),
            (<dict> response).get("body"),
            max_result_bytes,
            -1 if max_header_bytes is None else max_header_bytes,
        )
    if exceeds is None:
        return pure().may_exceed(response, max_result_bytes, max_header_bytes)
    return exceeds


cdef bint _is_size(object value):
    return type(value) is int and 0 <= value <= PY_SSIZE_T_MAX


cdef object _may_exceed(
    object headers, object body, Py_ssize_t max_result_bytes, Py_ssize_t max_header_bytes
):
    """`None` if it takes a closer look; -1 for no limit of the headers."""
    cdef Py_ssize_t sent = 0, frame
    cdef PyObject* name
    cdef PyObject* value
    if type(headers) is not list or type(body) is not bytes:
        return None
    for header in <list> headers:
        if not mangum_pair(header, &name, &value):
            return None
        sent += PyBytes_GET_SIZE(<bytes> name) + PyBytes_GET_SIZE(<bytes> value)
    if 0 <= max_header_bytes < sent:
        return True
    frame = _MAX_NAMES * sent + _HEADER_BYTES * len(<list> headers) + _ENVELOPE_BYTES
    return _may_be_longer(body, max_result_bytes - _MAX_EXPANSION * frame)


cdef bint _may_be_longer(bytes body, Py_ssize_t room):
    """Whether a body may take more bytes than that as JSON."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(body), excess = _MAX_EXPANSION * size - room, enough
    cdef Py_ssize_t expansion
    if excess <= 0:
        return False
    expansion = _MAX_ASCII_EXPANSION
    if not mangum_is_ascii(PyBytes_AS_STRING(body), size):
        expansion = _MAX_TEXT_EXPANSION
    if expansion * size > room:
        return True
    # so many bytes without a control character make up for the longest escapes in all others
    enough = (excess + _MAX_EXPANSION - expansion - 1) // (_MAX_EXPANSION - expansion)
    return mangum_has_marked(PyBytes_AS_STRING(body), min(enough, size), mangum_long_escapes)


def rest_result(response, exclude, text_mime_types):
    result = _result_of(REST, response, exclude, text_mime_types, "")
    return pure().rest_result(response, exclude, text_mime_types) if result is None else result


def http_result(response, exclude, text_mime_types, default_content_type):
    result = _result_of(HTTP, response, exclude, text_mime_types, default_content_type)
    if result is None:
        return pure().http_result(response, exclude, text_mime_types, default_content_type)
    return result


def alb_result(response, exclude, text_mime_types):
    result = _result_of(LOAD_BALANCER, response, exclude, text_mime_types, "")
    return pure().alb_result(response, exclude, text_mime_types) if result is None else result


cdef object _result_of(
    Kind kind, object response, object exclude, object text_mime_types, object default_content_type
):
    if type(response) is not dict or "status" not in <dict> response:
        return None
    return _result(
        kind,
        (<dict> response)["status"],
        (<dict> response).get("headers"),
        (<dict> response).get("body"),
        exclude,
        text_mime_types,
        default_content_type,
    )


cdef object _result(
    Kind kind,
    object status,
    object headers,
    object body,
    object exclude,
    object text_mime_types,
    object default_content_type,
):
    """The result of a source; `None` if it takes a closer look."""
    cdef PyObject* raw_name
    cdef PyObject* raw_value
    cdef str name
    cdef object content_type = None, content_encoding = None, found
    cdef dict single = {}, multiple = None, result
    cdef list cookies = None
    if (
        type(headers) is not list
        or type(body) is not bytes
        or type(exclude) is not list
        or type(text_mime_types) is not list
        or type(default_content_type) is not str
    ):
        return None
    for header in <list> headers:
        if not mangum_pair(header, &raw_name, &raw_value):
            return None
        name = _lower_name(<bytes> raw_name)
        if name is None:
            return None
        value = _latin1(<bytes> raw_value)
        if content_type is None and _equals(name, b"content-type", 12):
            content_type = value
        elif content_encoding is None and _equals(name, b"content-encoding", 16):
            content_encoding = value
        if exclude and name in <list> exclude:
            continue
        if kind == HTTP:
            if _equals(name, b"set-cookie", 10):
                if cookies is None:
                    cookies = []
                cookies.append(value)
            elif not mangum_add_key(single, name, value):
                single[name] = <str> single[name] + "," + <str> value
        elif kind == REST:
            if multiple is not None and name in multiple:
                (<list> multiple[name]).append(value)
            elif not mangum_add_key(single, name, value):
                if multiple is None:
                    multiple = {}
                multiple[name] = [single.pop(name), value]
        else:
            found = single.get(name)
            if found is None:
                single[name] = [value]
            else:
                (<list> found).append(value)
    if not content_type:
        content_type = ""
        if default_content_type and PyBytes_GET_SIZE(body):
            content_type = default_content_type
            if "content-type" not in <list> exclude:
                if "content-type" in single:
                    single["content-type"] = <str> single["content-type"] + "," + content_type
                else:
                    single["content-type"] = content_type
    text, is_base64 = encode_body(
        body, content_type, "" if content_encoding is None else content_encoding, text_mime_types
    )
    if kind == REST:
        result = PyDict_Copy(_REST_RESULT)
        result["headers"] = single
        result["multiValueHeaders"] = {} if multiple is None else multiple
    elif kind == LOAD_BALANCER:
        result = PyDict_Copy(_ALB_RESULT)
        result["multiValueHeaders"] = single
    else:
        result = PyDict_Copy(_HTTP_RESULT)
        if single:
            result["headers"] = single
        if cookies is not None:
            result["cookies"] = cookies
    result["statusCode"] = status
    result["body"] = text
    if is_base64:
        result["isBase64Encoded"] = True
    return result


cdef dict _REST_RESULT = {
    "statusCode": None,
    "headers": None,
    "multiValueHeaders": None,
    "body": None,
    "isBase64Encoded": False,
}
cdef dict _ALB_RESULT = {
    "statusCode": None,
    "body": None,
    "isBase64Encoded": False,
    "multiValueHeaders": None,
}
cdef dict _HTTP_RESULT = {"statusCode": None, "body": None, "isBase64Encoded": False}


def decode_response(response, exclude, text_mime_types, default_content_type=""):
    texts, content_type, content_encoding = decode_headers(response["headers"], exclude)
    body = response["body"]
    if default_content_type and body and not content_type:
        content_type = default_content_type
        if "content-type" not in exclude:
            (<list> texts).append(("content-type", content_type))
    text, is_base64 = encode_body(body, content_type, content_encoding, text_mime_types)
    return texts, text, is_base64


def decode_headers(headers, exclude):
    cdef list texts = []
    cdef PyObject* raw_name
    cdef PyObject* raw_value
    cdef str name
    cdef object value, content_type = None, content_encoding = None
    if type(headers) is not list or (type(exclude) is not list and type(exclude) is not tuple):
        return pure().decode_headers(headers, exclude)
    for header in <list> headers:
        if not mangum_pair(header, &raw_name, &raw_value):
            return pure().decode_headers(headers, exclude)
        name = _lower_name(<bytes> raw_name)
        if name is None:
            return pure().decode_headers(headers, exclude)
        value = _latin1(<bytes> raw_value)
        if content_type is None and _equals(name, b"content-type", 12):
            content_type = value
        elif content_encoding is None and _equals(name, b"content-encoding", 16):
            content_encoding = value
        if not exclude or name not in exclude:
            texts.append((name, value))
    return (
        texts,
        "" if content_type is None else content_type,
        "" if content_encoding is None else content_encoding,
    )


def split_headers(texts):
    cdef dict single = {}, multiple = {}
    if not _is_list_of_pairs(texts):
        return pure().split_headers(texts)
    for text in <list> texts:
        name = (<tuple> text)[0]
        value = (<tuple> text)[1]
        if multiple and name in multiple:
            (<list> multiple[name]).append(value)
        elif name in single:
            multiple[name] = [single.pop(name), value]
        else:
            single[name] = value
    return single, multiple


def fold_headers(texts):
    cdef dict folded = {}
    cdef list cookies = []
    if not _is_list_of_pairs(texts):
        return pure().fold_headers(texts)
    for text in <list> texts:
        name = (<tuple> text)[0]
        value = (<tuple> text)[1]
        if _equals(name, b"set-cookie", 10):
            cookies.append(value)
        elif name in folded:
            folded[name] = <str> folded[name] + "," + <str> value
        else:
            folded[name] = value
    return folded, cookies


def group_headers(texts):
    cdef dict groups = {}
    if not _is_list_of_pairs(texts):
        return pure().group_headers(texts)
    for text in <list> texts:
        name = (<tuple> text)[0]
        value = (<tuple> text)[1]
        found = groups.get(name)
        if found is None:
            groups[name] = [value]
        else:
            (<list> found).append(value)
    return groups


cdef bint _is_list_of_pairs(object texts):
    if type(texts) is not list:
        return False
    for text in <list> texts:
        if type(text) is not tuple or len(<tuple> text) != 2 or type((<tuple> text)[0]) is not str:
            return False
    return True


cpdef object encode_body(body, content_type, content_encoding, text_mime_types):
    cdef int is_text
    if (
        type(body) is not bytes
        or type(content_type) is not str
        or type(text_mime_types) is not list
    ):
        return pure().encode_body(body, content_type, content_encoding, text_mime_types)
    if PyBytes_GET_SIZE(body) == 0:
        return ("", False)
    if type(content_encoding) is not str or PyUnicode_GET_LENGTH(content_encoding) != 0:
        return pure().encode_body(body, content_type, content_encoding, text_mime_types)
    is_text = _is_text(content_type, text_mime_types)
    if is_text < 0:
        return pure().encode_body(body, content_type, content_encoding, text_mime_types)
    if is_text:
        try:
            text = PyUnicode_DecodeUTF8(PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body), NULL)
            return (text, False)
        except UnicodeDecodeError:
            pass
    return (_base64(body), True)


cdef object _base64(bytes body):
    if PyBytes_GET_SIZE(body) >= _MIN_SIMD_BASE64_BYTES:
        try:
            from pybase64 import b64encode_as_string

            return b64encode_as_string(body)
        except ImportError:
            pass
    return (<bytes> _b2a_base64(body, newline=False)).decode("ascii")


cdef int _is_text(str content_type, list text_mime_types):
    """Whether a text type fits; -1 if that takes a closer look."""
    cdef char[136] lower
    cdef Py_ssize_t length = PyUnicode_GET_LENGTH(content_type), media, size, offset, index
    cdef char* found
    cdef char* entry
    if length > 128 or not PyUnicode_IS_ASCII(content_type):
        return -1
    mangum_lower(lower, PyUnicode_DATA(content_type), length)
    if length and (mangum_is_space(lower[0]) or mangum_is_space(lower[length - 1])):
        return -1
    found = <char*> memchr(lower, b";", length)
    media = length if found == NULL else found - lower
    while media and mangum_is_space(lower[media - 1]):
        media -= 1
    for item in text_mime_types:
        if type(item) is not str or not PyUnicode_IS_ASCII(item):
            return -1
    for item in text_mime_types:
        size = PyUnicode_GET_LENGTH(item)
        entry = PyUnicode_DATA(item)
        offset = 0
        if size and entry[0] == b"+":
            offset = media - size
            if offset < 0:
                continue
        elif memchr(entry, b"/", size) == NULL:
            return -1
        elif size > length:
            continue
        for index in range(size):
            if lower[offset + index] != (
                entry[index] | 32 if b"A" <= entry[index] <= b"Z" else entry[index]
            ):
                break
        else:
            return 1
    return 0


# JSON


def find_floats(value):
    cdef list floats = []
    cdef list level = [(value,)]
    cdef list below
    cdef Py_ssize_t _depth
    for _depth in range(_MAX_JSON_DEPTH):
        below = []
        for items in level:
            for item in items:
                if type(item) is str or type(item) is int or type(item) is bool or item is None:
                    continue
                if type(item) is float:
                    floats.append(item)
                elif type(item) is dict:
                    below.append((<dict> item).values())
                elif type(item) is list or type(item) is tuple:
                    below.append(item)
                else:
                    return None
        if not below:
            return floats
        level = below
    return None


# The loop

cdef extern from *:
    """
    /* What sys.set_asyncgen_hooks() does, which takes most of a thousand instructions. Puts a hook
       in, NULL for none, and returns the one that was there; both are owned. */
    static inline PyObject *mangum_swap(PyObject **place, PyObject *hook) {
        PyObject *former = *place;
        *place = hook;
        return former;
    }

    typedef struct { PyObject *firstiter, *finalizer; } mangum_hooks;

    static mangum_hooks mangum_set_hooks(mangum_hooks hooks) {
        PyThreadState *state = PyThreadState_Get();
        return (mangum_hooks){
            mangum_swap(&state->async_gen_firstiter, hooks.firstiter),
            mangum_swap(&state->async_gen_finalizer, hooks.finalizer),
        };
    }

    static mangum_hooks mangum_own_hooks(PyObject *hooks) {
        mangum_hooks owned = {PyTuple_GET_ITEM(hooks, 0), PyTuple_GET_ITEM(hooks, 1)};
        if (owned.firstiter == Py_None) owned.firstiter = NULL;
        if (owned.finalizer == Py_None) owned.finalizer = NULL;
        Py_XINCREF(owned.firstiter);
        Py_XINCREF(owned.finalizer);
        return owned;
    }

    static void mangum_restore_hooks(mangum_hooks former) {
        mangum_hooks used = mangum_set_hooks(former);
        Py_XDECREF(used.firstiter);
        Py_XDECREF(used.finalizer);
    }

    /* `task.__init__(*arguments, **named)`. */
    static int mangum_init(PyObject *task, PyObject *arguments, PyObject *named) {
        return Py_TYPE(task)->tp_init(task, arguments, named);
    }
    """
    ctypedef struct Hooks "mangum_hooks":
        pass
    Hooks mangum_set_hooks(Hooks)
    Hooks mangum_own_hooks(object)
    void mangum_restore_hooks(Hooks)
    int mangum_init(object, tuple, dict) except -1
    unsigned long PyThread_get_thread_ident()


cpdef object drive(parts, coroutine):
    cdef object task_type, loop, watched, postponed, local, get_running_loop, set_running_loop
    cdef object ident, is_done, is_cancelled, result_of
    cdef object hooks, task
    cdef dict fields, arguments, policies, current
    cdef Hooks former
    if not parts:
        return None
    (
        task_type, loop, fields, arguments, hooks, watched, postponed, policies, local, current,
        get_running_loop, set_running_loop, ident, is_done, is_cancelled, result_of,
    ) = <tuple> parts
    if (
        PyThread_get_thread_ident() != <unsigned long> ident
        or current.get("_loop") is not loop
        or getattr(policies["_event_loop_policy"], "_local", None) is not local
        or fields["_thread_id"] is not None
        or fields["_closed"]
        or fields["_task_factory"] is not None
        or fields["_debug"]
        or get_running_loop() is not None
    ):
        return None
    task = mangum_new(task_type, ())
    former = mangum_set_hooks(mangum_own_hooks(hooks))
    fields["_thread_id"] = ident
    try:
        set_running_loop(loop)
        mangum_init(task, (coroutine,), arguments)
        if not _EAGER:
            fields["_ready"].pop()._run()
    except (KeyboardInterrupt, SystemExit):
        if not is_done(task):
            task.cancel()
            raise
    finally:
        fields["_thread_id"] = None
        set_running_loop(None)
        mangum_restore_hooks(former)
    if (
        fields["_ready"]
        or fields["_scheduled"]
        or len(watched) > 1
        or postponed
        or not is_done(task)
        or is_cancelled(task)  # the result of such a one says why only once, and of one
        or task._exception is not None  # that has failed it shows where only once
        or result_of(task) is not None
    ):
        return task
    fields["_stopping"] = False
    return True

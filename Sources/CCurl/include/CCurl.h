// What Swift cannot call of libcurl: setopt and getinfo are variadic macros. One line a use,
// nothing is decided here.
#ifndef CCurl_H
#define CCurl_H

#include <curl/curl.h>

static inline CURLcode ccurl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_number(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode ccurl_set_headers(CURL *handle, struct curl_slist *headers) {
  return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

/// Copies the body; libcurl keeps its own.
static inline CURLcode ccurl_set_body(CURL *handle, const void *bytes, long count) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, count);
  return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, bytes);
}

typedef size_t (*ccurl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode ccurl_set_receivers(CURL *handle, ccurl_receiver header,
                                           ccurl_receiver body, void *context) {
  CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, body);
  if (code == CURLE_OK) code = curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
  return code;
}

static inline CURLcode ccurl_set_error_buffer(CURL *handle, char *buffer) {
  return curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}

/// The number of a finished transfer's result, or -1 while it runs.
static inline int ccurl_result(CURLM *group) {
  int left = 0;
  CURLMsg *message = curl_multi_info_read(group, &left);
  return message != NULL && message->msg == CURLMSG_DONE ? (int)message->data.result : -1;
}

/// A number that libcurl knows of a handle, or 0.
static inline long ccurl_number(CURL *handle, CURLINFO info) {
  long value = 0;
  return curl_easy_getinfo(handle, info, &value) == CURLE_OK ? value : 0;
}

/// The socket of a connection that was made and not used, or -1. It stays libcurl's.
static inline int ccurl_socket(CURL *handle) {
  curl_socket_t value = CURL_SOCKET_BAD;
  CURLcode code = curl_easy_getinfo(handle, CURLINFO_ACTIVESOCKET, &value);
  return code == CURLE_OK && value != CURL_SOCKET_BAD ? (int)value : -1;
}

/// Macros with casts, which Swift does not see.
static const long CCURL_AUTH_BASIC = (long)CURLAUTH_BASIC;
static const long CCURL_AUTH_DIGEST = (long)CURLAUTH_DIGEST;
static const long CCURL_AUTH_NEGOTIATE = (long)CURLAUTH_NEGOTIATE;
static const long CCURL_AUTH_NTLM = (long)CURLAUTH_NTLM;

enum { CCURL_ERROR_BYTES = CURL_ERROR_SIZE };

#endif

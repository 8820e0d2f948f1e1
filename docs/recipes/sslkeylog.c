/* Writes the TLS secrets of any program that uses OpenSSL 1.1.1 or later as a shared library, in the key log format of NSS.
 *
 *   cc -O2 -shared -fPIC -o sslkeylog.so sslkeylog.c -ldl
 *   SSLKEYLOGFILE=/run/keys.log LD_PRELOAD=$PWD/sslkeylog.so nginx
 *
 * Every SSL_CTX that the program makes gets a key log callback; nothing else of the program changes. The file is opened for
 * appending, readable by its owner only, and every line is one write, so several processes can share it. It may be a FIFO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct ossl_lib_ctx_st OSSL_LIB_CTX;
typedef void (*keylog_callback)(const SSL *, const char *);

static int file = -1;

/* Opened when the program starts, while it may still have the rights to do so. */
__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("SSLKEYLOGFILE");
    if (path)
        file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
}

static void write_line(const SSL *ssl, const char *line)
{
    struct iovec parts[2] = { { (void *)line, strlen(line) }, { "\n", 1 } };
    (void)ssl;
    if (file >= 0 && writev(file, parts, 2) < 0)
        return;
}

static SSL_CTX *with_key_log(SSL_CTX *context)
{
    void (*set)(SSL_CTX *, keylog_callback) = dlsym(RTLD_NEXT, "SSL_CTX_set_keylog_callback");
    if (context && set)
        set(context, write_line);
    return context;
}

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *(*real)(const SSL_METHOD *) = dlsym(RTLD_NEXT, "SSL_CTX_new");
    return with_key_log(real(method));
}

SSL_CTX *SSL_CTX_new_ex(OSSL_LIB_CTX *library, const char *properties, const SSL_METHOD *method)
{
    SSL_CTX *(*real)(OSSL_LIB_CTX *, const char *, const SSL_METHOD *) = dlsym(RTLD_NEXT, "SSL_CTX_new_ex");
    return with_key_log(real(library, properties, method));
}

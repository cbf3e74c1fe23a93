/*
 * no_tls - what libmicrohttpd's archive asks of GnuTLS, not there.
 *
 * Debian builds libmicrohttpd with TLS, which is used only by daemons that are started with
 * MHD_USE_TLS. Ours never are; but the shared library brings GnuTLS and eight others along, 2.3 MB
 * resident in every process. So the archive is linked (server/CMakeLists.txt), and these are the
 * names it then lacks. Two are called by every process, when libmicrohttpd is set up and taken
 * down; to call another one would be a bug.
 */
#include <stdlib.h>

int gnutls_global_init(void);
int gnutls_global_init(void)
{
    return 0;
}

void gnutls_global_deinit(void);
void gnutls_global_deinit(void)
{
}

extern void *(*gnutls_malloc)(size_t size);
void *(*gnutls_malloc)(size_t size) = NULL;

#define NOT_THERE(name)                                                                            \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        abort();                                                                                   \
    }

NOT_THERE(gnutls_alpn_set_protocols)
NOT_THERE(gnutls_bye)
NOT_THERE(gnutls_certificate_allocate_credentials)
NOT_THERE(gnutls_certificate_free_credentials)
NOT_THERE(gnutls_certificate_server_set_request)
NOT_THERE(gnutls_certificate_set_dh_params)
NOT_THERE(gnutls_certificate_set_retrieve_function2)
NOT_THERE(gnutls_certificate_set_retrieve_function3)
NOT_THERE(gnutls_certificate_set_x509_key_mem)
NOT_THERE(gnutls_certificate_set_x509_key_mem2)
NOT_THERE(gnutls_certificate_set_x509_trust_mem)
NOT_THERE(gnutls_cipher_get)
NOT_THERE(gnutls_credentials_set)
NOT_THERE(gnutls_deinit)
NOT_THERE(gnutls_dh_params_deinit)
NOT_THERE(gnutls_dh_params_import_pkcs3)
NOT_THERE(gnutls_dh_params_init)
NOT_THERE(gnutls_handshake)
NOT_THERE(gnutls_init)
NOT_THERE(gnutls_priority_deinit)
NOT_THERE(gnutls_priority_init)
NOT_THERE(gnutls_priority_set)
NOT_THERE(gnutls_protocol_get_version)
NOT_THERE(gnutls_psk_allocate_server_credentials)
NOT_THERE(gnutls_psk_free_server_credentials)
NOT_THERE(gnutls_psk_set_server_credentials_function)
NOT_THERE(gnutls_record_check_pending)
NOT_THERE(gnutls_record_get_direction)
NOT_THERE(gnutls_record_recv)
NOT_THERE(gnutls_record_send)
NOT_THERE(gnutls_session_get_ptr)
NOT_THERE(gnutls_session_set_ptr)
NOT_THERE(gnutls_strerror)
NOT_THERE(gnutls_transport_set_int2)

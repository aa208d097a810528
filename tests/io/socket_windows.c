/* What is asked of the sockets of Windows, and has no like elsewhere. */
#include "io/socket.h"
#include "io/iocp.h"

#include <criterion/criterion.h>
#include <winsock2.h>

/* Otherwise another program could set SO_REUSEADDR, take the address over, and get the connections. */
Test(socket_windows, the_address_of_a_listening_socket_is_its_own)
{
    static const char *const addresses[] = { "127.0.0.1:0", "[::1]:0" };
    cr_assert_eq(tri_winsock_start(), 0);
    for (int i = 0; i < 2; i++) {
        tr_address address;
        cr_assert_eq(tr_address_parse(addresses[i], &address), 0);
        tri_fd fd = tri_socket_listen(&address, 5, false);
        cr_assert_geq(fd, 0);
        DWORD on = 0;
        int size = sizeof on;
        cr_assert_eq(getsockopt((SOCKET)fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&on, &size), 0);
        cr_assert_neq(on, 0u);
        tri_socket_close(fd);
    }
}

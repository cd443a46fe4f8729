/* The CRC of HJ 212 (Appendix A). Its step is crc = T[(crc >> 8) ^ b]: the low byte of the register is thrown away. So
 * with H(v) = T[v] >> 8 the result is T[x], x = H^(n-1)(0xFF) ^ XOR over j of H^(n-1-j)(b[j]), and H has order 8
 * (tested). All bytes of one residue class modulo 8 can therefore be folded together by XOR before any table is
 * looked at: 64-bit words, counted from the end of the message, and then eight look-ups. */
#include "hj212_priv.h"
#include "hj212_crc_tables.inc"

uint16_t hj212_crc_of_fold(uint64_t fold, size_t n)
{
    uint8_t x = crc_power[(n - 1) & 7][0xFF];
    for (size_t k = 0; k < 8; k++) /* byte k of a word is 7 - k places before the end of its block */
        x = (uint8_t)(x ^ crc_power[7 - k][fold >> (8 * k) & 0xFF]);
    return crc_table[x];
}

uint64_t hj212_fold(const char *p, size_t n)
{
    uint64_t a = 0, b = 0;
    const size_t head = n & 7;
    size_t i = head;
    for (size_t k = 0; k < head; k++)
        a ^= (uint64_t)(uint8_t)p[k] << (8 * (8 - head + k));
    if ((n - i) & 8) {
        b = hj212_load(p + i);
        i += 8;
    }
    for (; i < n; i += 16) {
        a ^= hj212_load(p + i);
        b ^= hj212_load(p + i + 8);
    }
    return a ^ b;
}

uint16_t hj212_crc(const char *p, size_t n)
{
    return n == 0 ? 0xFFFF : hj212_crc_of_fold(hj212_fold(p, n), n);
}

uint16_t hj212_crc_plain(const char *p, size_t n)
{
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < n; i++) {
        crc = (crc >> 8) ^ (uint8_t)p[i];
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? (crc >> 1) ^ 0xA001 : crc >> 1;
    }
    return (uint16_t)crc;
}

uint16_t hj212_crc_modbus(const char *p, size_t n)
{
    unsigned crc = 0xFFFF;
    for (size_t i = 0; i < n; i++)
        crc = (crc >> 8) ^ crc_table[(crc ^ (uint8_t)p[i]) & 0xFF];
    return (uint16_t)crc;
}

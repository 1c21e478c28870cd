"""Bytes to frozen dataclasses and back; standard library only.

cursor      bounds-checked reading and writing; the only place that checks a length against the data
ids         the IANA numbers of IKEv2 as open enums
header      the 28-byte IKE header
payloads    the chain of payloads behind a header, and the generic payload header
payloads_v2 one dataclass per IKEv2 payload; shapes holds the bodies that both versions share
ids_v1, payloads_v1, message_v1    the same for IKEv1 (ISAKMP)
message     a header with its payloads, sealed or open
rules       which payloads an exchange may and must carry, as a table
packets     IPv4, IPv6, UDP and ESP headers around IKE
pcapng      the capture file format
"""
